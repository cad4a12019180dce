"""``cnnlab serve``."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Device, ModelName, Offline, Quiet, Runs
from cnnlab.core.files import user_path

if TYPE_CHECKING:
    from cnnlab.serving import Server

_MIB = 1 << 20

Host = Annotated[
    str, typer.Option("--host", metavar="ADDRESS", help="Where it listens; other machines reach no 127.0.0.1.")
]
Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="The port; 0 for one that is free.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        parser=user_path,
        help="A file with the token that requests bring along. Without it CNNLAB_TOKEN; without either one is made up "
        "and shown.",
        show_default=False,
    ),
]
NoToken = Annotated[bool, typer.Option("--no-token", help="Answer every program on this machine; on loopback alone.")]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="NAME",
        help="A name, with its port, under which clients reach it besides its own, such as that of a proxy. May be "
        "given several times.",
        show_default=False,
    ),
]
ServedName = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="What the model is called in paths.", show_default="that of the run"),
]
Top = Annotated[
    int, typer.Option("--top", metavar="N", min=1, help="How many classes /predict tells, the likeliest first.")
]
MaxBatch = Annotated[int, typer.Option("--max-batch", metavar="N", min=1, help="Pictures computed at once.")]
MaxWait = Annotated[
    float,
    typer.Option(
        "--max-wait",
        metavar="MS",
        min=0,
        max=1000,
        help="Milliseconds that a picture waits for others that are on their way.",
    ),
]
FillBatches = Annotated[
    bool,
    typer.Option(
        "--fill-batches",
        help="Compute --max-batch pictures each time, blank ones for those that are missing: answers then have the "
        "same bits whatever is asked at the same time.",
    ),
]
Queue = Annotated[
    int,
    typer.Option(
        "--queue",
        metavar="N",
        min=1,
        max=1_000_000,
        help="Pictures that wait; what comes on top is refused with 503.",
    ),
]
# The largest values keep a number in bytes or in pixels from being taken for one in millions.
MaxBody = Annotated[
    float, typer.Option("--max-body", metavar="MIB", min=0.001, max=1024, help="Largest request, in MiB.")
]
MaxPixels = Annotated[
    float,
    typer.Option(
        "--max-pixels",
        metavar="MILLIONS",
        min=0.0001,
        max=1000,
        help="Largest picture that is decoded, in million pixels.",
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0.1,
        max=3600,
        help="For a request to arrive, and again for it to be answered.",
    ),
]


def serve(
    run: ModelName,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token_file: TokenFile = None,
    no_token: NoToken = False,
    allow_host: AllowHost = None,
    name: ServedName = None,
    top: Top = 5,
    max_batch: MaxBatch = 32,
    max_wait: MaxWait = 2.0,
    fill_batches: FillBatches = False,
    queue: Queue = 1024,
    max_body: MaxBody = 16.0,
    max_pixels: MaxPixels = 50.0,
    timeout: Timeout = 30.0,
    runs: Runs = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Answer over HTTP what the stored classifier of RUN says of pictures: the Open Inference Protocol, and /predict.

    cnnlab serve last

    cnnlab serve last --host 0.0.0.0 --token-file token.txt --allow-host pictures.example.org
    """
    from cnnlab.core.messages import quietly, warn

    with quietly(quiet):
        from cnnlab import serving
        from cnnlab.serving.access import TOKEN, said_token

        token = None if no_token else said_token(token_file)
        limits = serving.Limits(
            batch=max_batch,
            wait=max_wait,
            queue=queue,
            body=int(max_body * _MIB),
            pixels=int(max_pixels * 1e6),
            seconds=timeout,
        )
        server = serving.open_server(
            run,
            host=host,
            port=port,
            token=token,
            asks_for_token=not no_token,
            allow_hosts=allow_host or (),
            name=name,
            top=top,
            limits=limits,
            is_filled=fill_batches,
            runs=runs or "runs",
            device=device,
            offline=offline,
        )
        if no_token:
            warn("every program and every user of this machine is answered, for no token is asked for.")
        shown = f"$(cat {shlex.quote(str(token_file))})" if token_file else f"${TOKEN}" if token else server.token
        server.run(lambda: _tell(server, shown))


def _tell(server: "Server", token: str | None) -> None:
    """Where it is and how it is asked; a token that the person gave is not shown."""
    output.write(f"{server.name} answers at {server.address} until Ctrl-C.")
    bearer = "" if token is None else f'-H "Authorization: Bearer {token}" '
    command = f'curl {bearer}-H "Content-Type: image/png" --data-binary @picture.png {server.address}/predict'
    output.facts([("ask", command)])
    # Who reads it may be a program, by a pipe.
    sys.stdout.flush()
