package bench

// Published is what others report for FLamby's split: accuracies by hospital and
// their unweighted mean.
type Published struct {
	Strategy string    `json:"strategy"`
	Mean     float64   `json:"mean"`
	SD       float64   `json:"sd,omitempty"`       // over five seeds of the training
	Accuracy []float64 `json:"accuracy,omitempty"` // at each hospital, where given
	Source   string    `json:"source"`
}

// Where the figures come from: FLamby's result files, each mean over five seeds,
// and NVIDIA FLARE's example with Newton's method.
const (
	flambyResults  = "FLamby (owkin/FLamby), flamby/results/results_benchmark_fed_heart_disease"
	flambyPersonal = "FLamby (owkin/FLamby), personalization_example/results_perso_vs_normal.csv"
	nvflareReadme  = "NVFlare (NVIDIA/NVFlare), examples/hello-world/hello-lr/README.md"
)

var published = []Published{
	{"pooled, Adam", 0.735, 0.002, []float64{.783, .764, .750, .644}, flambyResults},
	{"cleveland alone, tested everywhere", 0.722, 0.019, []float64{.746, .760, .725, .658}, flambyResults},
	{"FedAvg", 0.685, 0.025, []float64{.731, .719, .650, .640}, flambyResults},
	{"FedProx", 0.685, 0.025, []float64{.731, .719, .650, .640}, flambyResults},
	{"SCAFFOLD", 0.684, 0.025, []float64{.727, .719, .650, .640}, flambyResults},
	{"Cyclic", 0.718, 0.026, []float64{.758, .762, .713, .640}, flambyResults},
	{"FedAdam", 0.726, 0.012, []float64{.752, .746, .738, .667}, flambyResults},
	{"FedAdagrad, FedYogi", 0.731, 0.011, []float64{.760, .753, .738, .676}, flambyResults},
	{"FedAvg with fine-tuning at each hospital", 0.735, 0.008, nil, flambyPersonal},
	{"Newton's method", 0.713, 0, []float64{.750, .753, .750, .600}, nvflareReadme},
}
