"""``cnnlab train``."""

from cnnlab.cli.options import Again, DataDir, Device, Json, Name, Offline, Quiet, Runs, Words


def train(
    words: Words = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    device: Device = None,
    name: Name = None,
    again: Again = False,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a classifier by a recipe.

    The same recipe on the same data is the same run: finished, it is returned at once; unfinished, it goes on.

        cnnlab train data=fashion-mnist 'augment=flip|shift(0.1)' epochs=15

        cnnlab train recipe.yaml seed=3

        cnnlab train 'data=folder(path=photos.zip, size=96)' model=convnet
    """
    from cnnlab.cli.summary import write_summary
    from cnnlab.cli.words import read_words
    from cnnlab.core.messages import quietly

    with quietly(quiet):
        from cnnlab import training

    recipe, keys = read_words(words, device=device, name=name)
    with quietly(quiet):
        # Read before anything else is, since keys are not to be taken for arguments of the function.
        whole = training.Recipe.read(recipe, **keys)
        run = training.train(whole, runs=runs, again=again, data_dir=data_dir, offline=offline)
    write_summary(run, runs, as_json=as_json)
