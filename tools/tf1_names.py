"""Writes `src/hornbeam/api/tf1_names.tsv`, the public names of TensorFlow 1, with a TensorFlow 2.15 that has `tf_slim` installed:

    $HORNBEAM_ORACLE tools/tf1_names.py

They are `tensorflow.compat.v1`, less what came after 1.15, plus `tf.contrib`: what lives on in `tf_slim`, and the names of its
other well-known parts, which TensorFlow 2 no longer carries and which are therefore listed here.
"""

from __future__ import annotations

import importlib
import inspect
import os
from pathlib import Path
from types import ModuleType

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
OUT = Path(__file__).resolve().parents[1] / "src" / "hornbeam" / "api" / "tf1_names.tsv"

NEWER = (  # namespaces and names of compat.v1 that TensorFlow 1.15 did not have
    "data.experimental.service experimental.extension_type experimental.numpy keras.export keras.saving math.special mlir types "
    "keras.applications.convnext keras.applications.efficientnet keras.applications.efficientnet_v2 keras.applications.regnet "
    "keras.applications.resnet_rs keras.applications.mobilenet_v3 keras.applications.imagenet_utils keras.mixed_precision "
    "mixed_precision dtypes.experimental lite.experimental.authoring xla.experimental.numpy"
).split()

CONTRIB = {
    "contrib.framework": "CriticalSection SortByName Variable add_arg_scope add_model_variable arg_scope arg_scoped_arguments "
    "argsort assert_global_step assert_or_get_global_step assert_same_float_dtype assert_scalar assert_scalar_int "
    "assign_from_checkpoint assign_from_checkpoint_fn assign_from_values assign_from_values_fn broadcast_to checkpoint_exists "
    "convert_to_tensor_or_sparse_tensor create_global_step current_arg_scope deprecated deprecated_arg_values deprecated_args "
    "filter_variables fuse_op get_global_step get_graph_from_inputs get_local_variables get_model_variables "
    "get_name_scope get_or_create_global_step get_placeholders get_trainable_variables get_unique_variable "
    "get_variable_full_name get_variables get_variables_by_name get_variables_by_suffix get_variables_to_restore global_variable "
    "has_arg_scope init_from_checkpoint invert_permutation is_non_decreasing is_numeric_tensor is_strictly_increasing is_tensor "
    "list_variables load_and_remap_matrix load_and_remap_matrix_initializer load_checkpoint load_linear_multiclass_bias_initializer "
    "load_variable local_variable model_variable prepend_from_queue_and_padded_batch_dataset py_func reduce_sum_n remove_squeezable_dimensions smart_case "
    "smart_cond smart_constant_value sort variable with_same_shape with_shape zero_initializer",
    "contrib.framework.nest": "assert_same_structure flatten flatten_dict_items flatten_up_to is_sequence map_structure "
    "map_structure_up_to pack_sequence_as yield_flattened_up_to",
    "contrib.rnn": "AttentionCellWrapper BasicLSTMCell BasicRNNCell BidirectionalGridLSTMCell Conv1DLSTMCell Conv2DLSTMCell "
    "Conv3DLSTMCell ConvLSTMCell CoupledInputForgetGateLSTMCell DeviceWrapper DropoutWrapper EmbeddingWrapper FusedRNNCell "
    "FusedRNNCellAdaptor GLSTMCell GRUBlockCell GRUBlockCellV2 GRUCell GridLSTMCell HighwayWrapper IndRNNCell IndyGRUCell "
    "IndyLSTMCell InputProjectionWrapper IntersectionRNNCell LSTMBlockCell LSTMBlockFusedCell LSTMBlockWrapper LSTMCell "
    "LSTMStateTuple LayerNormBasicLSTMCell LayerRNNCell MinimalRNNCell MultiRNNCell NASCell OutputProjectionWrapper "
    "PhasedLSTMCell RNNCell ResidualWrapper SRUCell TimeFreqLSTMCell TimeReversedFusedRNN UGRNNCell WeightNormLSTMCell "
    "best_effort_input_batch_size stack_bidirectional_dynamic_rnn stack_bidirectional_rnn static_bidirectional_rnn static_rnn "
    "static_state_saving_rnn transpose_batch_time",
    "contrib.seq2seq": "AttentionMechanism AttentionWrapper AttentionWrapperState BahdanauAttention BahdanauMonotonicAttention "
    "BasicDecoder BasicDecoderOutput BeamSearchDecoder BeamSearchDecoderOutput BeamSearchDecoderState CustomHelper Decoder "
    "FinalBeamSearchDecoderOutput GreedyEmbeddingHelper Helper InferenceHelper LuongAttention LuongMonotonicAttention "
    "SampleEmbeddingHelper ScheduledEmbeddingTrainingHelper ScheduledOutputTrainingHelper TrainingHelper dynamic_decode "
    "gather_tree hardmax monotonic_attention safe_cumprod sequence_loss tile_batch",
    "contrib.legacy_seq2seq": "attention_decoder basic_rnn_seq2seq embedding_attention_decoder embedding_attention_seq2seq "
    "embedding_rnn_decoder embedding_rnn_seq2seq embedding_tied_rnn_seq2seq model_with_buckets one2many_rnn_seq2seq rnn_decoder "
    "sequence_loss sequence_loss_by_example tied_rnn_seq2seq",
    "contrib.crf": "CrfDecodeBackwardRnnCell CrfDecodeForwardRnnCell CrfForwardRnnCell crf_binary_score crf_decode "
    "crf_log_likelihood crf_log_norm crf_multitag_sequence_score crf_sequence_score crf_unary_score viterbi_decode",
    "contrib.training": "FailureTolerator GreedyLoadBalancingStrategy HParamDef HParams NextQueuedSequenceBatch "
    "RandomStrategy SequenceQueueingStateSaver StopAfterNEvalsHook StopAtStepHook SummaryAtEndHook byte_size_load_fn batch_sequences_with_states "
    "bucket bucket_by_sequence_length checkpoints_iterator create_train_op evaluate_once evaluate_repeatedly "
    "get_or_create_eval_step merge_clip_gradients multiply_gradients parse_values python_input rejection_sample resample_at_rate "
    "stratified_sample train wait_for_new_checkpoint weighted_resample clip_gradient_norms clip_gradient_norms_fn "
    "add_gradients_summaries prepare_serialized_examples passthrough_stratified_sample",
    "contrib.data": "AUTOTUNE CheckpointInputPipelineHook CsvDataset LMDBDataset Optional RandomDataset Reducer SqlDataset "
    "TFRecordWriter assert_element_shape batch_and_drop_remainder bucket_by_sequence_length choose_from_datasets copy_to_device "
    "dense_to_sparse_batch enumerate_dataset get_next_as_optional get_single_element group_by_reducer group_by_window ignore_errors "
    "make_batched_features_dataset make_csv_dataset make_saveable_from_iterator map_and_batch padded_batch_and_drop_remainder "
    "parallel_interleave parse_example_dataset prefetch_to_device read_batch_features rejection_resample reduce_dataset "
    "sample_from_datasets scan set_stats_aggregator shuffle_and_repeat sliding_window_batch sloppy_interleave unbatch unique",
    "contrib.opt": "AdaMaxOptimizer AdamGSOptimizer AdamWOptimizer AddSignOptimizer AGNOptimizer DropStaleGradientOptimizer "
    "ElasticAverageOptimizer ExternalOptimizerInterface GGTOptimizer LARSOptimizer LazyAdamGSOptimizer LazyAdamOptimizer "
    "MatrixFunctions ModelAverageOptimizer MomentumWOptimizer MovingAverageOptimizer MultitaskOptimizerWrapper NadamOptimizer "
    "PowerSignOptimizer RegAdagradOptimizer ReduceSumReduceMeanOptimizer ScipyOptimizerInterface ShampooOptimizer "
    "VariableClippingOptimizer clip_gradients_by_global_norm extend_with_decoupled_weight_decay",
    "contrib.learn": "BaseEstimator DNNClassifier DNNEstimator DNNLinearCombinedClassifier DNNLinearCombinedEstimator "
    "DNNLinearCombinedRegressor DNNRegressor DynamicRnnEstimator Estimator Evaluable Experiment ExportStrategy Head InputFnOps "
    "KMeansClustering LinearClassifier LinearEstimator LinearRegressor LogisticRegressor MetricSpec ModeKeys ModelFnOps "
    "NotFittedError PredictionKey ProblemType RunConfig SKCompat StateSavingRnnEstimator SVM TaskType TensorFlowEstimator Trainable "
    "extract_dask_data extract_dask_labels extract_pandas_data extract_pandas_labels extract_pandas_matrix "
    "infer_real_valued_columns_from_input infer_real_valued_columns_from_input_fn learn_runner make_export_strategy "
    "multi_class_head multi_head multi_label_head no_op_train_fn poisson_regression_head preprocessing read_batch_examples "
    "read_batch_features read_batch_record_features regression_head",
    "contrib.learn.ModeKeys": "TRAIN EVAL INFER",
    "contrib.image": "adjust_hsv_in_yiq angles_to_projective_transforms bipartite_match compose_transforms connected_components "
    "dense_image_warp flat_transforms_to_matrices image_ops interpolate_spline matrices_to_flat_transforms random_hsv_in_yiq rotate "
    "single_image_random_dot_stereograms sparse_image_warp transform translate translations_to_projective_transforms",
    "contrib.lookup": "HashTable IdTableWithHashBuckets KeyValueTensorInitializer MutableDenseHashTable MutableHashTable "
    "TableInitializerBase TextFileIdTableInitializer TextFileIndex TextFileInitializer TextFileStringTableInitializer HasherSpec "
    "StrongHashSpec FastHashSpec InitializableLookupTableBase LookupInterface index_table_from_file index_table_from_tensor "
    "index_to_string index_to_string_table_from_file index_to_string_table_from_tensor string_to_index",
    "contrib.graph_editor": "ControlOutputs OpMatcher SubGraphView Transformer TransformerInfo add_control_inputs "
    "assign_renamed_collections_handler bypass can_be_regex check_cios compute_boundary_ts connect copy copy_op_handler "
    "copy_with_input_replacements detach detach_control_inputs detach_control_outputs detach_inputs detach_outputs "
    "filter_ops filter_ops_from_regex filter_ts filter_ts_from_regex get_backward_walk_ops get_consuming_ops "
    "get_forward_walk_ops get_generating_ops get_name_scope_ops get_ops_ios get_tensors get_walks_intersection_ops "
    "get_walks_union_ops get_within_boundary_ops graph_replace keep_t_if_possible_handler make_list_of_op "
    "make_list_of_t make_placeholder_from_dtype_and_shape make_placeholder_from_tensor make_regex make_view "
    "make_view_from_scope matcher op_type ph placeholder_name remap remap_inputs remap_outputs remap_outputs_make_unique "
    "remap_outputs_to_consumers remove_control_inputs replace_t_with_placeholder_handler reroute_inputs reroute_ios "
    "reroute_outputs reroute_ts select_ops select_ops_and_ts select_ts sgv sgv_scope swap_inputs swap_ios swap_outputs swap_ts "
    "transform_op_if_inside_handler",
    "contrib.cudnn_rnn": "CudnnCompatibleGRUCell CudnnCompatibleLSTMCell CudnnGRU CudnnGRUSaveable CudnnLSTM CudnnLSTMSaveable "
    "CudnnParamsFormatConverterGRU CudnnParamsFormatConverterLSTM CudnnRNNRelu CudnnRNNReluSaveable CudnnRNNTanh CudnnRNNTanhSaveable",
    "contrib.distribute": "CollectiveAllReduceStrategy CrossDeviceOps DistributeConfig DistributionStrategy MirroredStrategy "
    "OneDeviceStrategy ParameterServerStrategy StandardInputStep StandardSingleLossStep TPUStrategy UpdateContext "
    "get_cross_tower_context get_distribution_strategy get_loss_reduction get_replica_context has_distribution_strategy",
    "contrib.tpu": "AsyncCheckpointSaverHook CrossShardOptimizer InputPipelineConfig RunConfig TPUConfig TPUDistributionStrategy "
    "TPUEstimator TPUEstimatorSpec batch_parallel bfloat16_scope core cross_replica_sum export_estimator_savedmodel "
    "initialize_system keras_to_tpu_model outside_compilation repeat replicate rewrite shard shutdown_system while_loop",
    "contrib.cluster_resolver": "ClusterResolver GceClusterResolver KubernetesClusterResolver SimpleClusterResolver "
    "SlurmClusterResolver TFConfigClusterResolver TPUClusterResolver UnionClusterResolver",
    "contrib.lite": "Interpreter OpsSet OptimizationMode Optimize QuantizationDebugger RepresentativeDataset TFLiteConverter TargetSpec "
    "TocoConverter build_toco_convert_protos constants experimental toco_convert convert_op_hints_to_stubs OpHint",
    "contrib.quantize": "create_eval_graph create_training_graph experimental_create_eval_graph experimental_create_training_graph",
    "contrib.predictor": "from_contrib_estimator from_estimator from_saved_model",
    "contrib.saved_model": "get_signature_def_by_key load_keras_model save_keras_model",
    "contrib.summary": "all_summary_ops always_record_summaries audio create_db_writer create_file_writer "
    "create_summary_file_writer event eval_dir flush generic graph histogram image import_event initialize "
    "never_record_summaries record_summaries_every_n_global_steps scalar should_record_summaries summary_writer_initializer_op",
    "contrib.tensorboard": "plugins",
    "contrib.tensorboard.plugins": "projector",
    "contrib.tensorboard.plugins.projector": "EmbeddingInfo EmbeddingMetadata ProjectorConfig SpriteMetadata visualize_embeddings",
    "contrib.checkpoint": "CheckpointableBase CheckpointableObjectGraph Checkpointable List Mapping NoDependency "
    "NumpyState UniqueNameTracker capture_dependencies dot_graph_from_checkpoint list_objects object_metadata split_dependency",
    "contrib.eager": "Checkpoint CheckpointableSaver EagerVariableStore GraphCallable Iterator Network Saver Sequential "
    "Variable add_execution_callback async_wait clear_execution_callbacks custom_gradient defun enable_eager_execution "
    "enable_remote_eager_execution errstate executing_eagerly execution_mode function get_optimizer_variables "
    "gradients_function graph_callable implicit_gradients implicit_value_and_gradients in_eager_mode in_graph_mode "
    "inf_callback inf_nan_callback list_devices make_template metrics nan_callback num_gpus py_func remote_connect "
    "restore_variables_on_create run run_test_in_graph_and_eager_modes save_network_checkpoint "
    "restore_network_checkpoint seterr set_execution_mode value_and_gradients_function",
    "contrib.distributions": "Autoregressive BatchReshape Bernoulli Beta BetaWithSoftplusConcentration Binomial Categorical Cauchy "
    "Chi2 Chi2WithAbsDf ConditionalDistribution ConditionalTransformedDistribution Deterministic Dirichlet DirichletMultinomial "
    "Distribution ExpRelaxedOneHotCategorical Exponential ExponentialWithSoftplusRate Gamma GammaWithSoftplusConcentrationRate "
    "Geometric GaussianProcess HalfNormal Independent InverseGamma Kumaraswamy Laplace LaplaceWithSoftplusScale Logistic Mixture "
    "MixtureSameFamily Multinomial MultivariateNormalDiag MultivariateNormalDiagPlusLowRank MultivariateNormalDiagWithSoftplusScale "
    "MultivariateNormalFullCovariance MultivariateNormalTriL NegativeBinomial Normal NormalWithSoftplusScale OneHotCategorical "
    "Poisson PoissonLogNormalQuadratureCompound QuantizedDistribution RelaxedBernoulli RelaxedOneHotCategorical SinhArcsinh "
    "StudentT StudentTWithAbsDfSoftplusScale TransformedDistribution Uniform VectorDeterministic VectorDiffeomixture "
    "VectorExponentialDiag VectorLaplaceDiag VectorSinhArcsinhDiag WishartCholesky WishartFull bijectors "
    "estimator_head_distribution_regression kl_divergence percentile RegisterKL reduce_weighted_logsumexp softplus_inverse tridiag",
    "contrib.util": "constant_value constant_value_as_shape create_example dump_graph_to_file make_ndarray make_tensor_proto ops_used_by_graph_def "
    "stripped_op_list_for_graph",
    "contrib.gan": "GANEstimator GANModel GANLoss GANTrainOps gan_loss gan_model gan_train gan_train_ops acgan_model cyclegan_model "
    "estimator eval features infogan_model losses namedtuples stargan_model",
    "contrib.memory_stats": "BytesInUse BytesLimit MaxBytesInUse",
    "contrib.nccl": "all_max all_min all_prod all_sum broadcast reduce_sum",
    "contrib.periodic_resample": "periodic_resample",
    "contrib.resampler": "resampler",
    "contrib.sparsemax": "sparsemax sparsemax_loss",
    "contrib.staging": "StagingArea",
    "contrib.stateless": "stateless_multinomial stateless_random_normal stateless_random_uniform stateless_truncated_normal",
    "contrib.signal": "frame hamming_window hann_window inverse_stft inverse_stft_window_fn linear_to_mel_weight_matrix "
    "mfccs_from_log_mel_spectrograms overlap_and_add stft",
    "contrib.text": "skip_gram_sample skip_gram_sample_with_text_vocab",
    "contrib.ffmpeg": "decode_audio decode_video encode_audio",
    "contrib.integrate": "odeint odeint_fixed",
    "contrib.input_pipeline": "obtain_next",
    "contrib.copy_graph": "copy_op_to_graph copy_variable_to_graph get_copied_op",
    "contrib.compiler": "jit xla",
    "contrib.compiler.jit": "experimental_jit_scope",
    "contrib.compiler.xla": "compile estimator_model_fn is_compiled",
    "contrib.deprecated": "audio_summary histogram_summary image_summary merge_all_summaries merge_summary scalar_summary",
    "contrib.estimator": "DNNClassifierWithLayerAnnotations DNNEstimator EarlyStoppingHook LinearEstimator RNNClassifier "
    "RNNEstimator SavedModelEstimator TowerOptimizer add_metrics binary_classification_head boosted_trees_classifier_train_in_memory "
    "build_raw_supervised_input_receiver_fn call_logit_fn clip_gradients_by_norm dnn_logit_fn_builder export_all_saved_models "
    "export_saved_model_for_mode forward_features linear_logit_fn_builder logistic_regression_head make_early_stopping_hook "
    "make_stop_at_checkpoint_step_hook multi_class_head multi_head multi_label_head poisson_regression_head regression_head "
    "replicate_model_fn stop_if_higher_hook stop_if_lower_hook stop_if_no_decrease_hook stop_if_no_increase_hook",
    "contrib.feature_column": "sequence_categorical_column_with_hash_bucket sequence_categorical_column_with_identity "
    "sequence_categorical_column_with_vocabulary_file sequence_categorical_column_with_vocabulary_list sequence_input_layer "
    "sequence_numeric_column",
    "contrib.factorization": "GMM GmmAlgorithm KMeans KMeansClustering WALSMatrixFactorization WALSModel gmm",
    "contrib.tensor_forest": "client python",
    "contrib.boosted_trees": "estimator_batch",
    "contrib.constrained_optimization": "AdditiveExternalRegretOptimizer AdditiveSwapRegretOptimizer ConstrainedMinimizationProblem",
    "contrib.hooks": "ProfilerHook",
    "contrib.kfac": "estimator layer_collection optimizer",
    "contrib.linear_optimizer": "SDCAEstimator SDCAOptimizer SdcaModel SparseFeatureColumn",
    "contrib.mixed_precision": "ExponentialUpdateLossScaleManager FixedLossScaleManager LossScaleManager LossScaleOptimizer",
    "contrib.recurrent": "Recurrent bidirectional_functional_rnn functional_rnn",
    "contrib.reduce_slice_ops": "reduce_slice_max reduce_slice_min reduce_slice_prod reduce_slice_sum",
    "contrib.solvers": "lanczos least_squares linear_equations util",
    "contrib.timeseries": "ARRegressor CSVReader NumpyReader RandomWindowInputFn StructuralEnsembleRegressor WholeDatasetInputFn predict_continuation_input_fn",
    "contrib.nn": "alpha_dropout conv1d_transpose deprecated_flipped_sigmoid_cross_entropy_with_logits "
    "deprecated_flipped_softmax_cross_entropy_with_logits deprecated_flipped_sparse_softmax_cross_entropy_with_logits "
    "nth_element rank_sampled_softmax_loss sampled_sparse_softmax_loss scaled_softplus",
    "contrib.receptive_field": "compute_receptive_field_from_graph_def",
    "contrib.session_bundle": "exporter session_bundle",
    "contrib.model_pruning": "apply_mask get_masked_weights get_masks get_pruning_hparams get_thresholds get_weight_sparsity get_weights Pruning",
}  # fmt: skip

SLIM = {  # namespace -> the tf_slim module that carries it on
    "contrib.slim": "tf_slim",
    "contrib.layers": "tf_slim.layers",
    "contrib.losses": "tf_slim.losses",
    "contrib.metrics": "tf_slim.metrics",
    "contrib.slim.losses": "tf_slim.losses",
    "contrib.slim.metrics": "tf_slim.metrics",
    "contrib.slim.learning": "tf_slim.learning",
    "contrib.slim.evaluation": "tf_slim.evaluation",
}
LAYERS_ONLY_IN_1 = (
    "bucketized_column create_feature_spec_for_parsing crossed_column embed_sequence embedding_column embedding_lookup_unique "
    "input_from_feature_columns joint_weighted_sum_from_feature_columns infer_real_valued_columns make_place_holder_tensors_for_base_features "
    "multi_class_target one_hot_column parse_feature_columns_from_examples parse_feature_columns_from_sequence_examples "
    "real_valued_column regression_target safe_embedding_lookup_sparse scattered_embedding_column sequence_input_from_feature_columns "
    "shared_embedding_columns sparse_column_with_hash_bucket sparse_column_with_integerized_feature sparse_column_with_keys "
    "sparse_column_with_vocabulary_file transform_features weighted_sparse_column weighted_sum_from_feature_columns"
)
NETS = "alexnet inception inception_v1 inception_v2 inception_v3 overfeat resnet_utils resnet_v1 resnet_v2 vgg"
# In compat.v1 of 1.15, gone from that of 2.15.
GONE = {
    "": "batch_gather parse_single_example sparse_matmul log_sigmoid lin_space div_no_nan real imag conj angle "
    "contrib compat flags logging resource_loader python_io set_random_seed spectral",
    "app": "flags run",
    "keras.utils": "multi_gpu_model",
    "keras.wrappers.scikit_learn": "KerasClassifier KerasRegressor",
    "train": "QueueRunner",
    "flags": "ArgumentParser DEFINE DEFINE_alias DEFINE_bool DEFINE_boolean DEFINE_enum DEFINE_enum_class DEFINE_flag DEFINE_float "
    "DEFINE_integer DEFINE_list DEFINE_multi DEFINE_multi_enum DEFINE_multi_float DEFINE_multi_integer DEFINE_multi_string "
    "DEFINE_spaceseplist DEFINE_string FLAGS Flag FlagHolder FlagValues declare_key_flag disclaim_key_flags "
    "doc_to_help flag_dict_to_args get_help_width mark_bool_flags_as_mutual_exclusive mark_flag_as_required "
    "mark_flags_as_mutual_exclusive mark_flags_as_required multi_flags_validator register_multi_flags_validator "
    "register_validator text_wrap validator Error IllegalFlagValueError DuplicateFlagError UnparsedFlagAccessError",
    "logging": "DEBUG ERROR FATAL INFO TaskLevelStatusMessage WARN debug error fatal flush get_verbosity info log log_every_n "
    "log_first_n log_if set_verbosity vlog warn warning",
}  # fmt: skip


def newer(full: str) -> bool:
    """Whether a name or a namespace around it came after 1.15."""
    return any(full == n or full.startswith(n + ".") for n in NEWER)


def walk(ns: str, module: ModuleType, out: dict[str, set[str]], depth: int = 0) -> None:
    """Collects the public names of a generated API module and of those under it."""
    for name in dir(module):
        if name.startswith("_"):
            continue
        full = f"{ns}.{name}" if ns else name
        value = getattr(module, name, None)
        if newer(full):
            continue
        if not inspect.ismodule(value):
            out.setdefault(ns, set()).add(name)
        elif "_api" in value.__name__ or "keras.api" in value.__name__:
            if not full.startswith("compat") and depth < 7:
                walk(full, value, out, depth + 1)


def main() -> None:
    tf = importlib.import_module("tensorflow.compat.v1")
    out: dict[str, set[str]] = {}
    walk("", tf, out)
    out["compat"] = {n for n in dir(tf.compat) if not n.startswith("_")} - {"v1"}  # tf.compat.v1 is this list itself
    for ns, names in {**CONTRIB, **GONE}.items():
        out.setdefault(ns, set()).update(names.split())
    for ns, source in SLIM.items():
        module = importlib.import_module(source)
        public = {n for n in dir(module) if not n.startswith("_") and not inspect.ismodule(getattr(module, n))}
        features = {"absolute_import", "division", "print_function", "vars_", "optimizer_"}
        out.setdefault(ns, set()).update(public - features)
    out["contrib.layers"].update(LAYERS_ONLY_IN_1.split())
    out["contrib.slim.nets"] = set(NETS.split())
    for ns in [n for n in out if n.startswith("contrib.")]:
        parent, _, last = ns.rpartition(".")
        out.setdefault(parent, set()).add(last)
    for ns in list(out):  # a namespace is listed by its own line, not among its parent's names
        parent, _, last = ns.rpartition(".")
        if parent in out:
            out[parent].discard(last)
    lines = ["# namespace<TAB>names; the public names of TensorFlow 1; made by tools/tf1_names.py"]
    lines += [f"{ns}\t{' '.join(sorted(names))}" for ns, names in sorted(out.items()) if names]
    OUT.write_text("\n".join(lines) + "\n", "utf-8")
    print(sum(len(n) for n in out.values()), "names in", len(out), "namespaces,", OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
