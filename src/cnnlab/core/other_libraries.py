"""What Keras, PyTorch, fastai, timm, Lightning, Ultralytics and scikit-learn call things, and what is written here.

A person who comes from one of these types its words. Wherever a name is refused that is not known it is looked up here,
and the error says what to type. In each table stands what is written here, and then the words of others, apart by
spaces; capitals, hyphens and underscores make no difference. Of several lines that have a word the first is the best.
``core/counterparts.py`` reads them, and those of ``core/other_commands.py``.
"""

from collections.abc import Mapping

NAMES: Mapping[str, Mapping[str, str]] = {
    "architecture": {
        "vgg-like": "vgg vggnet small_vgg",
        "vgg16": "vgg",
        "vgg19": "vgg",
        "cnn": "simple_cnn basic_cnn small_cnn Sequential xresnet_small ConvNet2D",
        "mlp": "MLPClassifier MLPRegressor perceptron multilayer_perceptron fully_connected ann dnn ffn",
        "lenet5": "lenet",
        "wide-resnet": "wrn wideresnet28_10 wide_resnet50_2 wrn_28_10",
        "efficientnetv2-b0": "efficientnet_v2 efficientnet_v2_s",
        "squeezenet1_1": "squeezenet SqueezeNet1_0",
        "timm(efficientnet_b0)": "efficientnet",
        "timm(mobilenetv3_large_100)": "mobilenet mobilenetv3 mobilenet_v3_large mobilenet_v3_small",
        "timm(mobilenetv2_100)": "mobilenet_v2",
        "timm(densenet121)": "densenet",
        "timm(inception_v3)": "googlenet inception",
        "timm(convnext_tiny)": "convnext",
        "timm(vit_tiny_patch16_224)": "vit vit_b_16 vision_transformer",
        "timm(resnet18)": "yolo11n_cls yolov8n_cls",
    },
    "layer": {
        "conv": "Conv2d Conv1d Convolution2D convolution conv_layer",
        "dense": "Linear LazyLinear fc fully_connected",
        "bn": "BatchNorm BatchNorm2d BatchNorm1d BatchNormalization batchnormalisation",
        "pool": "MaxPooling2D MaxPool2d MaxPooling",
        "avgpool": "AveragePooling2D AvgPool2d AveragePooling average_pool",
        "global_pool": "GlobalAveragePooling2D AdaptiveAvgPool2d GlobalAvgPool2d gap SelectAdaptivePool2d",
        "global_pool(max)": "GlobalMaxPooling2D GlobalMaxPool2D AdaptiveMaxPool2d",
        "dropout(by=channel)": "SpatialDropout2D Dropout2d",
        "alpha_dropout": "FeatureAlphaDropout",
        "silu": "swish",
        "leaky": "LeakyReLU lrelu",
        "sigmoid": "logistic",
        "exponential": "exp",
        "residual": "BasicBlock ResBlock Bottleneck residual_block",
        "inception": "InceptionModule inception_block",
        "se": "SqueezeExcite SqueezeExcitation SEModule SEBlock",
        "activity": "ActivityRegularization",
    },
    "initialiser": {
        "glorot-uniform": "xavier xavier_uniform glorot",
        "glorot-normal": "xavier xavier_normal glorot",
        "he-normal": "kaiming kaiming_normal he msra VarianceScaling",
        "he-uniform": "kaiming kaiming_uniform he",
        "lecun-normal": "lecun",
        "lecun-uniform": "lecun",
        "truncated-normal": "trunc_normal",
        "normal": "gaussian randn RandomNormal",
        "uniform": "rand RandomUniform",
        "zeros": "zero",
        "ones": "one",
        "dirac": "identity eye delta",
        "orthogonal": "ortho",
        "torch": "pytorch",
    },
    "objective": {
        "classes": "classification multiclass softmax ce cross_entropy CrossEntropyLoss CrossEntropyLossFlat nll "
        "nll_loss categorical_crossentropy sparse_categorical_crossentropy log_loss label",
        "binary": "bce BCELoss BCEWithLogitsLoss binary_crossentropy binary_classification",
        "scalar": "regression mse mse_loss mean_squared_error squared_error MSELossFlat",
        "scalar(loss=mae)": "mae L1Loss mean_absolute_error absolute_error",
        "scalar(loss=huber)": "huber HuberLoss SmoothL1Loss smooth_l1",
        "circular(period=360)": "angle cyclic angular",
        "multi-head": "multitask multi_output",
    },
    "augmentation": {
        "flip": "horizontalflip fliplr hflip flip_left_right flip_horizontal",
        "flip(vertical)": "verticalflip flipud vflip flip_up_down flip_vertical",
        "rotate": "rotation affine ShiftScaleRotate safe_rotate",
        "quarter_turn": "rotate90 rot90 dihedral",
        "shift": "translate translation TranslateXY ShiftScaleRotate affine",
        "shear": "shearing affine",
        "zoom": "scale ShiftScaleRotate affine",
        "stretch": "height width",
        "brightness": "colorjitter colorjiggle",
        "contrast": "colorjitter colorjiggle",
        "saturation": "colorjitter colorjiggle",
        "hue": "colorjitter colorjiggle",
        "lighting": "brightness_contrast",
        "grayscale": "to_gray to_grayscale rgb_to_grayscale",
        "blur": "gaussianblur",
        "sharpen": "sharpness adjust_sharpness",
        "gaussian_noise": "gauss_noise noise AdditiveGaussianNoise",
        "erase": "erasing coarsedropout",
        "randaugment": "autoaugment augmix",
        "trivial": "TrivialAugmentWide TrivialAugment ta_wide",
        "flip|rotate(10)|zoom(0.1)|lighting(0.2, 0.2)": "aug_transforms",
    },
    "fill": {
        "reflect": "mirror symmetric reflection",
        "edge": "nearest replicate border",
        "constant": "zeros black",
    },
    "normalization": {
        "dataset": "standardize standardise zscore StandardScaler featurewise mean_std auto Normalize "
        "BatchNormalization",
        "imagenet": "imagenet_stats imagenet_default",
    },
    "optimizer": {
        "sgd": "sgdm gradient_descent stochastic_gradient_descent",
        "sgd(momentum=0.9)": "momentum nesterov",
        "sgd(momentum=0.9, nesterov=true)": "nesterov nag",
        "rmsprop": "RMSpropTF rms",
        "adamw": "AdamWeightDecay adamw_torch",
        "adam": "adam_optimizer",
    },
    "schedule": {
        "one-cycle": "OneCycleLR fit_one_cycle one_cycle_policy superconvergence CyclicLR cyclical",
        "cosine": "CosineAnnealingLR CosineAnnealing CosineDecay CosineLRScheduler cos fit_flat_cos flat_cos",
        "cosine-restarts": "CosineAnnealingWarmRestarts CosineDecayRestarts sgdr warm_restarts",
        "plateau": "ReduceLROnPlateau reduce_on_plateau adaptive",
        "step": "StepLR MultiStepLR multistep PiecewiseConstantDecay piecewise staircase",
        "exponential": "ExponentialLR ExponentialDecay exp",
        "linear": "LinearLR PolynomialLR PolynomialDecay poly polynomial linear_decay",
        "constant": "ConstantLR const fixed flat",
    },
    "data set": {
        "folder(path=photos)": "ImageFolder DatasetFolder image_dataset_from_directory flow_from_directory from_folder "
        "ImageDataLoaders directory",
        "csv(path=labels.csv)": "from_csv from_df dataframe flow_from_dataframe",
        "npz(path=arrays.npz)": "numpy npy",
        "hdf5(path=arrays.h5)": "hdf",
        "digits": "load_digits",
        "fashion-mnist": "fashion fmnist",
        "mnist": "mnist_784 mnist_sample",
        "kmnist": "kuzushiji",
        "cats-vs-dogs": "dogs_vs_cats cats_and_dogs cats_dogs asirra",
        "cifar10": "cifar_10_batches",
    },
    "method": {
        "mean": "soft soft_voting voting averaging",
        "vote": "hard hard_voting majority majority_vote VotingClassifier",
        "stacking": "StackingClassifier stack blending blend",
        "soup": "model_soup uniform_soup",
        "average": "swa weight_average StochasticWeightAveraging",
        "tta(flip)": "test_time_augmentation",
        "snapshots": "snapshot snapshot_ensemble",
        "weights": "weighted weighted_average weighted_mean",
        "greedy": "caruana ensemble_selection greedy_soup",
    },
    "design": {
        "grid": "GridSearchCV GridSearch full factorial full_factorial ParameterGrid",
        "random(trials=20)": "RandomizedSearchCV RandomSearch randomized",
        "tpe(trials=20)": "bayes bayesian optuna hyperopt BayesianOptimization TPESampler tune hyperband",
        "one-at-a-time": "oat ofat one_factor_at_a_time",
        "leave-one-out": "ablation ablate loo",
        "zip": "paired parallel",
    },
    "space": {
        "log": "loguniform suggest_loguniform reciprocal",
        "uniform": "float suggest_float suggest_uniform real",
        "int": "integer randint suggest_int quniform",
    },
}
"""By kind of name."""

ARGUMENTS: Mapping[str, str] = {
    "lr": "learning_rate lr0 eta eta0 base_lr max_lr lr_max learning_rate_init",
    "eps": "epsilon",
    "weight_decay": "wd decay l2 l2_regularization",
    "alpha": "rho beta mixup_alpha cutmix_alpha",
    "momentum": "mom",
    "lambda_1": "l1_regularization_strength l1",
    "kernel": "kernel_size filter_size ks",
    "filters": "out_channels channels num_filters n_filters nf",
    "stride": "strides subsample",
    "padding": "pad border_mode",
    "dilation": "dilation_rate",
    "groups": "num_groups",
    "bias": "use_bias",
    "init": "kernel_initializer weight_init initializer initialiser init_weights",
    "bias_init": "bias_initializer",
    "l2": "kernel_regularizer weight_decay alpha",
    "activation": "act act_fn act_layer act_cls nonlinearity activation_fn activation_function",
    "units": "out_features neurons n_units",
    "hidden": "hidden_layer_sizes hidden_layers hidden_units hidden_dims hidden_size layer_sizes layers units",
    "p": "rate prob probability drop_prob drop_rate",
    "dropout": "drop_rate dropout_rate drop rate p",
    "conv_dropout": "spatial_dropout drop_conv",
    "size": "pool_size kernel_size kernel imgsz img_size image_size target_size input_size n_estimators",
    "slope": "negative_slope alpha",
    "ratio": "reduction rd_ratio",
    "batch_norm": "use_bn use_batch_norm bn norm batch_normalization",
    "width": "width_multiplier widen_factor width_mult alpha",
    "blocks": "layers depths num_blocks",
    "weights": "pretrained checkpoint",
    "name": "model_name arch model",
    "path": "root directory dir folder file",
    "channels": "color_mode in_channels in_chans mode",
    "column": "target y label",
    "final": "min_lr_ratio final_lr_ratio lrf alpha",
    "warmup": "warmup_epochs warmup_t num_warmup_epochs",
    "period": "T_0 t_initial cycle_length",
    "growth": "T_mult t_mul cycle_mul cycle_mult",
    "peak": "pct_start",
    "start": "div_factor div initial_div",
    "end": "final_div_factor div_final final_div",
    "anneal": "anneal_strategy",
    "every": "step_size decay_epochs",
    "factor": "gamma decay_rate decay",
    "at": "milestones boundaries",
    "threshold": "min_delta",
    "patience": "patience_t",
    "degrees": "angle limit max_rotate rotation_range",
    "x": "shift_limit translate width_shift_range",
    "amount": "limit strength zoom_range brightness_range",
    "sigma": "std stddev noise_std",
    "n": "num_ops num_layers",
    "m": "magnitude",
    "fill": "fill_mode padding_mode border_mode pad_mode",
    "bits": "num_bits",
    "distortion": "distortion_scale",
    "folds": "cv n_splits",
    "views": "n_aug num_views",
    "trials": "n_trials n_iter num_samples",
}
"""Arguments of specs; a word means the one of them that is taken where it stands."""

VALUES: Mapping[str, str] = {
    "silu": "swish",
    "leaky": "leaky_relu lrelu",
    "exponential": "exp",
    "sigmoid": "logistic",
    "none": "linear identity",
    "avg": "average mean",
    "max": "maximum",
    "same": "half",
    "colour": "rgb color",
    "grey": "grayscale greyscale gray L",
    "crop": "center_crop",
    "pad": "letterbox padding",
    "squash": "stretch resize distort",
    "vertical": "up_down ud",
    "horizontal": "left_right lr",
    "skip": "ignore drop",
    "refuse": "raise error",
    "imagenet": "default IMAGENET1K_V1 IMAGENET1K_V2 pretrained true",
    "weights": "balanced class_weight balanced_subsample inverse true",
    "sampler": "oversample oversampling WeightedRandomSampler undersample",
    "float32": "fp32 32 32-true full single float",
    "bfloat16": "bf16 bf16-mixed mixed_bfloat16",
    "float16": "fp16 16 16-mixed half amp mixed mixed_float16 true",
    "torch": "pytorch",
    "probabilities": "soft proba predict_proba",
    "validation_accuracy": "val_accuracy val_acc valid_accuracy",
    "validation_loss": "val_loss valid_loss eval_loss",
    "accuracy": "acc top1 accuracy_score metrics/accuracy_top1",
    "macro_f1": "f1 f1_score",
}
"""Words among which an argument or a key lets choose."""

KEYS: Mapping[str, str] = {
    "epochs={15}": "epoch nb_epoch nb_epochs n_epochs n_epoch num_epochs max_epochs num_train_epochs max_iter n_iter",
    "steps={1000}": "max_steps num_steps n_steps total_steps train_steps training_steps",
    "batch_size={128}": "batch bs nb_batch train_batch_size minibatch_size per_device_train_batch_size",
    "optimizer={adamw}": "opt optim opt_func solver optimiser optimizer_name",
    "optimizer.lr={0.01} optimizer=adamw(lr={0.01})": "lr learning_rate lr0 base_lr max_lr lr_max eta eta0 "
    "learning_rate_init base_learning_rate initial_lr",
    "optimizer.momentum={0.9} optimizer=sgd(lr=0.1,momentum={0.9})": "momentum mom",
    "optimizer.nesterov={true} optimizer=sgd(lr=0.1,momentum=0.9,nesterov={true})": "nesterov nesterovs_momentum",
    "schedule={cosine}": "scheduler lr_scheduler sched lr_schedule lr_policy learning_rate_schedule lr_decay lr_sched",
    "schedule=cosine": "cos_lr cosine cosine_decay cosine_annealing T_max",
    "schedule=one-cycle": "one_cycle fit_one_cycle use_one_cycle",
    "schedule=plateau": "reduce_lr_on_plateau reduce_lr lr_patience",
    "schedule=step(every={10})": "step_size lr_step decay_epochs",
    "schedule=step(at={[30,60]})": "milestones lr_steps",
    "schedule.warmup={3} schedule=cosine(warmup={3})": "warmup warmup_epochs num_warmup_epochs lr_warmup_epochs",
    "weight_decay={1e-4}": "wd l2_reg alpha decay l2_regularization",
    "objective={classes}": "loss loss_fn loss_func loss_function criterion task problem_type",
    "objective.column={hour} objective=classes(column={hour})": "target target_column y_col label_column",
    "balance={weights}": "class_weight class_weights balanced use_class_weights pos_weight sample_weight",
    "balance=sampler": "oversample oversampling weighted_sampler weighted_random_sampler sampler",
    "patience={5}": "early_stopping early_stop early_stopping_patience early_stopping_rounds n_iter_no_change "
    "es_patience",
    "validation={0.1}": "validation_split val_split valid_pct validation_fraction validation_size val_size val_frac "
    "val valid val_pct valid_size holdout",
    "test={0.2}": "test_size test_split test_fraction test_frac",
    "subset={1000}": "n_samples max_samples num_samples fraction train_subset limit_train_batches sample limit",
    "data={fashion-mnist}": "dataset ds dls train_data data_path root directory dataset_name train_dataset train_ds "
    "train_loader X X_train source",
    "data.size={64} data=folder(path=photos,size={64})": "size imgsz img_size image_size input_size target_size "
    "img_height img_width resolution",
    "data.resize={crop} data=folder(path=photos,resize={crop})": "resize interpolation crop_mode",
    "data.channels={grey} data=folder(path=photos,channels={grey})": "channels color_mode in_channels in_chans "
    "grayscale",
    "folds={5}": "n_splits n_folds num_folds kfold cv",
    "model={vgg-like}": "arch architecture net backbone model_name encoder estimator classifier network_name",
    "model.weights={imagenet} model=vgg16(weights={imagenet})": "pretrained use_pretrained imagenet transfer_learning",
    "model.dropout={0.4} model=cnn(dropout={0.4})": "dropout drop dropout_rate drop_rate p_drop",
    "model.conv_dropout={0.25} model=cnn(conv_dropout={0.25})": "conv_dropout spatial_dropout",
    "model.activation={elu} model=cnn(activation={elu})": "activation act act_fn activation_function nonlinearity",
    "model.filters={[32,64]} model=cnn(filters={[32,64]})": "filters n_filters num_filters nf",
    "model.kernel={5} model=cnn(kernel={5})": "kernel kernel_size ks filter_size",
    "model.hidden={[64]} model=mlp(hidden={[64]})": "hidden hidden_layer_sizes hidden_units hidden_size hidden_dim "
    "hidden_dims units hidden_layers",
    "model.init={he-normal} model=cnn(init={he-normal})": "init initializer initialiser kernel_initializer weight_init",
    "model.batch_norm=true model=cnn(batch_norm=true)": "batch_norm use_bn use_batch_norm batch_normalization",
    "model.width={0.5} model=cnn(width={0.5})": "width width_multiplier width_mult",
    "model.l2={1e-4} model=cnn(l2={1e-4})": "kernel_regularizer l2",
    "train=head": "trainable freeze frozen freeze_backbone freeze_encoder freeze_layers freeze_base freeze_epochs "
    "fine_tune unfreeze_at train_layers trainable_layers",
    "augment={flip|shift(0.1)}": "augmentation augmentations augmenter aug augs transform transforms data_augmentation "
    "batch_tfms item_tfms tfms aug_transforms",
    "augment=flip": "horizontal_flip fliplr hflip flip",
    "augment=flip(vertical)": "vertical_flip flipud vflip",
    "augment=rotate({15})": "rotation_range degrees rotation rotate",
    "augment=shift({0.1})": "width_shift_range height_shift_range translate shift",
    "augment=zoom({0.2})": "zoom_range scale zoom",
    "augment=shear({10})": "shear_range shear",
    "augment=brightness({0.2})": "brightness_range brightness hsv_v",
    "augment=hue({0.1})": "hsv_h hue",
    "augment=saturation({0.2})": "hsv_s saturation",
    "augment=lighting(0.2,0.2)": "color_jitter jitter",
    "augment=mixup({0.2})": "mixup mixup_alpha",
    "augment=cutmix({1.0})": "cutmix cutmix_alpha",
    "augment=erase(p={0.25})": "random_erasing erasing reprob random_erase erase",
    "augment=cutout": "cutout",
    "augment={randaugment}": "auto_augment aa rand_augment trivial_augment",
    "normalize={dataset}": "rescale normalise normalization normalisation standardize mean std normalize_mean "
    "featurewise_center",
    "label_smoothing={0.1}": "smoothing label_smooth ls label_smoothing_factor",
    "clip_gradient={1.0}": "clip gradient_clip_val clipnorm clip_grad clip_grad_norm max_grad_norm grad_clip "
    "gradient_clip gradient_clipping",
    "precision={float16}": "amp fp16 half mixed_precision use_amp dtype to_fp16 float16",
    "precision=bfloat16": "bf16 to_bf16 bfloat16",
    "seed={0}": "random_state random_seed manual_seed seed_everything rng torch_seed set_seed",
    "workers={2}": "num_workers nworkers dataloader_num_workers",
    "threads={2}": "n_jobs num_threads nthreads intra_op_threads",
    "device=cuda": "gpus gpu accelerator use_gpu n_gpu devices use_cuda cuda",
    "compile=true": "jit torch_compile torchscript jit_compile",
    "select={accuracy}": "monitor metric eval_metric metric_for_best_model best_metric checkpoint_metric scoring",
    "ema={0.999}": "ema_decay model_ema use_ema swa ema_momentum polyak stochastic_weight_averaging",
    "name={first}": "run_name experiment_name exp_name experiment project_name",
    "checkpoint_seconds={60}": "save_freq save_period checkpoint_freq save_interval save_steps",
    "snapshots={[5,10]}": "save_epochs snapshot_epochs checkpoint_epochs",
    "parent={last}": "init_from finetune_from",
}
"""Lines of a recipe: in braces what the given value takes the place of where it fits, and what stands there otherwise.

Of several lines the first is shown that can be meant: an argument of a spec needs one that takes it.
"""

STUDY_LINES: Mapping[str, str] = {
    "vary: {augment: [none, flip]}": "grid param_grid parameters param_distributions search_space sweep axes factors "
    "hparams config_space",
    "repeats: 3": "n_repeats seeds n_seeds replicates replications n_runs num_runs random_states",
    "base: {data: fashion-mnist, epochs: 5}": "recipe defaults fixed config common",
    "design: tpe(trials=20)": "search sampler search_method algorithm strategy",
    "metrics: test_accuracy": "metric scoring score measures",
    "question: Which augmentation helps most?": "title description hypothesis about",
    "baseline: {augment: none}": "control reference",
    "claims: [augment='flip' is better than augment='none']": "hypotheses assertions",
}

"""Lines of a study's file."""

METRICS: Mapping[str, str] = {
    "accuracy": "acc top1 accuracy_score accuracy_top1 categorical_accuracy sparse_categorical_accuracy "
    "binary_accuracy",
    "balanced_accuracy": "bal_acc balanced_accuracy_score balanced_acc",
    "macro_f1": "f1 f1_score f1_macro fscore",
    "loss": "cross_entropy log_loss neg_log_loss nll",
    "auc": "roc_auc auroc roc_auc_score",
    "mean_absolute_error": "mae neg_mean_absolute_error",
}
"""Names of metrics without their split."""

EXPLAINED: Mapping[str, str] = {
    "steps_per_execution": "in Keras it is how many steps run in one call of a compiled function, and cnnlab's loop is "
    "Python itself, which takes one step after the other. It changes how fast a training is and not what it learns; "
    "leave it out",
    "steps_per_epoch": "an epoch is every training picture once. Leave it out, or say how long to train by steps=1000",
    "shuffle": "the pictures come in a new order each epoch, which depends on seed alone. Leave it out",
    "num_classes n_classes nc": "how many classes there are, and so how many outputs, is read off the data. Leave it "
    "out",
    "input_shape": "the network is built for the pictures as the data gives them. Leave it out; data.size=64 resizes",
    "deterministic": "a training is repeatable as it is: all that is random depends on seed. Leave it out",
    "benchmark cudnn_benchmark": "what is fastest on this machine is tried out by itself. Leave it out",
    "drop_last": "a last, smaller batch is trained on as well. Leave it out",
    "pin_memory prefetch": "pictures are read ahead by workers, and kept on the device where they fit. Leave it out",
    "accumulate_grad_batches gradient_accumulation_steps accumulate": "batch_size=256 is what one step sees; where it "
    "does not fit into memory at once, its parts are added up by themselves. Leave it out",
    "save_best_only restore_best_weights load_best_model_at_end save_best": "the weights of the best epoch are kept by "
    "themselves; select=accuracy says by what. Leave it out",
    "resume ckpt_path resume_from_checkpoint": "going on is a command of its own, cnnlab resume last; the same "
    "training again does it too",
    "n_estimators": "several networks are trained one by one, each with a seed of its own, and made one by cnnlab "
    "ensemble first second",
    "auto_lr_find lr_find": "it is a command of its own: cnnlab find-lr data=fashion-mnist",
    "callbacks": "they are functions, so they are given in Python: cnnlab.train(recipe, callbacks=[f])",
    "datasets": "data sets that are loaded already are given in Python: cnnlab.train(recipe, datasets={})",
    "metrics": "they are functions or objects of torchmetrics, so they are given in Python: cnnlab.train(recipe, "
    "metrics=[f])",
    "network": "a network of one's own is given in Python: cnnlab.train(recipe, model=Net)",
    "progress": "it is about the invocation. On the command line --quiet shows none, in Python progress=False",
}
"""Keys without a counterpart in a recipe, and why there is none, or where what they do is done."""

EXPLAINED_NAMES: Mapping[str, Mapping[str, str]] = {
    "augmentation": {
        "Normalize Standardize Rescale Rescaling": "what pixels are brought to before the network is a key of its own, "
        "which is for validation and test too: normalize=dataset. Leave it out",
        "ToTensor PILToTensor ToImage ConvertImageDtype ToDtype Compose": "pictures are tensors from 0 to 1 by "
        "themselves. Leave it out",
    },
}
"""Names in specs without a counterpart, and where what they do is done."""
