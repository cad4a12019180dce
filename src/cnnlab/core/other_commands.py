"""Commands, options of a command line and functions of other libraries, and what is typed here in their places.

Tables as in ``core/other_libraries.py``, which has the words of experiments.
"""

from collections.abc import Mapping

FLAGS: Mapping[str, str] = {
    "--runs folder": "output_dir out_dir save_dir project logdir checkpoint_dir save_path default_root_dir model_dir "
    "output",
    "--quiet": "verbose silent disable_tqdm progress_bar enable_progress_bar",
    "--again": "overwrite force exist_ok rerun",
}
"""What is about the invocation, and not about the experiment."""

COMMANDS: Mapping[str, str] = {
    "train {data=fashion-mnist}": "fit fit_one_cycle fine_tune learn start classify_train",
    "evaluate {last}": "test validate val score eval",
    "predict {last} {pictures}": "infer inference classify detect predict_proba label",
    "serve {last}": "deploy server api rest endpoint triton bentoml",
    "resume {last}": "continue restart",
    "find-lr {data=fashion-mnist}": "lr_find lr_finder tune_lr",
    "export {last} {model.onnx}": "onnx torchscript convert to_onnx quantize save_pretrained push_to_hub",
    "ensemble {first} {second}": "vote blend stack average combine bag soup",
    "report {last}": "summarize summarise export_report html explain_report",
    "figure {last} confusion": "confusion confusion_matrix cm",
    "figure {last} roc": "roc roc_curve auc",
    "figure {last} {curves}": "plot draw graph visualize visualise chart",
    "explain {last}": "interpret attribute attributions gradcam cam saliency heatmap captum feature_maps why",
    "attack {last}": "adversarial fgsm pgd autoattack robustness foolbox deepfool jsma perturb",
    "fool {last} from=noise target=0": "fooling evolve cppn rubbish",
    "models show {vgg-like} {--input} {1x28x28}": "summary model info flops params count_params summarize_model",
    "models list": "zoo list_models architectures",
    "data list": "datasets dataset download",
    "augment preview {data=digits} {augment=flip}": "show_batch transforms preview",
    "runs list": "ls runs_list history experiments leaderboard status",
    "runs show {last}": "show log logs metrics",
    "runs delete {last}": "rm delete remove",
    "runs compare {first} {second}": "compare diff",
    "study run {examples/depth}": "tune sweep search gridsearch cv cross_validate cross_val_score hpo optimize optuna "
    "ablate ablation",
    "recipes list": "configs cfg config presets",
    "list": "help_words words options",
    "completion {bash}": "install_completion show_completion autocomplete",
    "demo": "example examples tutorial quickstart",
    "--help": "help usage",
    "--version": "version",
}
"""Commands, without the word ``cnnlab``: in braces what stands there unless something was typed after the
word."""

SUBCOMMANDS: Mapping[str, str] = {
    "list": "ls all index",
    "delete": "rm remove del drop erase",
    "show": "info view describe summary get cat open",
    "compare": "diff versus",
    "restore": "undelete undo recover",
    "purge": "empty clean gc prune",
    "run": "start fit train execute",
    "plan": "dry_run preview_plan estimate",
    "check": "validate verify inspect lint",
    "preview": "show_batch sample",
    "draw": "plot diagram visualize",
    "cost": "benchmark time profile",
    "conv": "Conv2d convolution",
    "pool": "MaxPool2d MaxPooling2D",
    "dense": "linear fc",
    "report": "html",
}
"""Commands within a group, such as ``runs``."""

FIGURES: Mapping[str, str] = {
    "curves": "history learning_curves loss_curves training loss accuracy",
    "confusion": "confusion_matrix cm matrix",
    "roc": "roc_curve auc roc_auc",
    "precision-recall": "pr pr_curve prc prauc average_precision",
    "calibration": "reliability reliability_diagram ece",
    "mistakes": "errors misclassified top_losses worst",
}
"""Kinds of figures."""

LISTED: Mapping[str, str] = {
    "architectures": "models networks nets backbones model_names",
    "layers": "activations activation_functions blocks modules pooling",
    "initialisers": "initializers inits weight_inits",
    "objectives": "losses loss loss_functions criterions criteria tasks",
    "augmentations": "transforms transformations augs",
    "normalizations": "normalisations",
    "optimizers": "optimisers optims solvers",
    "schedules": "schedulers lr_schedulers lr_schedules",
    "classifiers": "estimators",
    "methods": "ensembles ensemble_methods",
    "attacks": "adversaries adversarial_attacks",
    "attributions": "cams saliency_methods explainers",
}
"""Kinds of words that ``cnnlab list`` lists."""

PYTHON: Mapping[str, str] = {
    "train": "fit Trainer Learner vision_learner cnn_learner fit_one_cycle fine_tune train_model YOLO",
    "evaluate": "test validate score val evaluate_model cross_val_score",
    "predict": "infer inference predict_proba",
    "resume": "continue_training",
    "extend": "train_more partial_fit",
    "find_lr": "lr_find LRFinder",
    "load_data": "load_dataset datasets DataLoader ImageDataLoaders DataBlock ImageFolder image_dataset_from_directory",
    "load": "load_run get_run load_study",
    "open_model": "load_model load_learner create_model from_pretrained get_model hub",
    "compare": "diff mcnemar",
    "transfer": "extract_features feature_extractor linear_probe",
    "ensemble": "VotingClassifier StackingClassifier BaggingClassifier soup",
    "Study": "GridSearchCV RandomizedSearchCV Tuner tune sweep create_study grid_search Experiment",
    "Recipe": "Config TrainingArguments",
    "RunStore": "runs_list list_runs Runs history",
    "Classifier": "Model Module Net Sequential LightningModule",
    "Dataset": "DataModule LightningDataModule dls DataLoaders",
    "models": "nn layers applications timm",
    "augment": "transforms preprocessing augmentation aug_transforms",
    "objectives": "losses loss criterion",
    "evaluation": "metrics scoring",
    "attack": "foolbox torchattacks art fast_gradient_method projected_gradient_descent AutoAttack",
    "explain": "captum attribute interpret GradCAM Saliency IntegratedGradients LayerGradCam",
    "reports": "plot plots visualize viz report",
    "sklearn.ImageClassifier": "ImageClassifier KerasClassifier NeuralNetClassifier MLPClassifier",
    "__version__": "version",
}
"""What stands after ``cnnlab.`` in Python."""

EXPLAINED_COMMANDS: Mapping[str, str] = {
    "save": "a finished run is stored already: its folder holds model.safetensors, which cnnlab.open_model('last') "
    "opens in Python. For other programs there is cnnlab export last model.onnx",
    "tensorboard mlflow wandb": "cnnlab figure last curves draws the curves of a run, and cnnlab report last a page",
    "segment track pose obb": "whole pictures are classified here, and neither parts of them nor what moves is found",
}
"""Commands without a counterpart, and where what they do is done."""
