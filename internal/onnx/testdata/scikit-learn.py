# Wrote scikit-learn.json: small pipelines as skl2onnx exports them, rows, and what
# ONNX Runtime answers. Versions stand in the file.
import base64, json, sys, numpy as np, onnx, sklearn, skl2onnx, onnxruntime as ort
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import *
from sklearn.impute import SimpleImputer
from sklearn.linear_model import *
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import *
from sklearn.tree import *
from skl2onnx.common.data_types import FloatTensorType, StringTensorType, DoubleTensorType, Int64TensorType
r = np.random.default_rng(7)
x = r.normal(size=(120, 4)).astype(np.float32)
two = (x[:, 0] + x[:, 1] ** 2 > 0.5).astype(int)
three = np.digitize(x[:, 0] + 0.3 * x[:, 2], [-0.5, 0.6])
words = np.array(["low", "mid", "high"])[three]
y = (2 * x[:, 0] - x[:, 3] + r.normal(size=120)).astype(np.float32)
gaps = x.copy(); gaps[r.random(x.shape) < 0.1] = np.nan
sex = np.array(["f", "m"], dtype=object)[r.integers(0, 2, size=(120, 1))]
floats = [("x", FloatTensorType([None, 4]))]
mixed = [("x", FloatTensorType([None, 4])), ("sex", StringTensorType([None, 1]))]
import pandas as pd
frame = pd.DataFrame({"a": gaps[:, 0], "b": gaps[:, 1], "sex": sex[:, 0]})
columns = [("a", FloatTensorType([None, 1])), ("b", FloatTensorType([None, 1])), ("sex", StringTensorType([None, 1]))]
models = {
 "logistic": (make_pipeline(StandardScaler(), LogisticRegression()).fit(x, two), floats, x),
 "logistic of three words": (make_pipeline(MinMaxScaler(), LogisticRegression()).fit(x, words), floats, x),
 "one against the rest": (make_pipeline(SimpleImputer(), RobustScaler(), sklearn.multiclass.OneVsRestClassifier(LogisticRegression())).fit(gaps, three), floats, gaps) if False else
   (make_pipeline(SimpleImputer(), RobustScaler(), LogisticRegression()).fit(gaps, three), floats, gaps),
 "linear": (make_pipeline(SimpleImputer(strategy="median"), Normalizer(), LinearRegression()).fit(gaps, y), floats, gaps),
 "ridge of two": (Ridge().fit(x, np.stack([y, -2 * y], 1)), floats, x),
 "tree": (DecisionTreeClassifier(max_depth=3, random_state=1).fit(x, two), floats, x),
 "tree of three words": (DecisionTreeClassifier(max_depth=4, random_state=1).fit(x, words), floats, x),
 "forest": (RandomForestClassifier(5, max_depth=4, random_state=1).fit(x, two), floats, x),
 "forest of three": (ExtraTreesClassifier(4, max_depth=4, random_state=1).fit(x, three), floats, x),
 "forest of numbers": (RandomForestRegressor(5, max_depth=4, random_state=1).fit(x, y), floats, x),
 "boosting": (GradientBoostingClassifier(n_estimators=6, max_depth=3, random_state=1).fit(x, two), floats, x),
 "boosting of three": (GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=1).fit(x, words), floats, x),
 "boosting of numbers": (GradientBoostingRegressor(n_estimators=6, max_depth=2, random_state=1).fit(x, y), floats, x),
 "histograms": (HistGradientBoostingClassifier(max_iter=4, max_depth=3, random_state=1).fit(gaps, two), floats, gaps),
 "histograms of numbers": (HistGradientBoostingRegressor(max_iter=4, max_depth=3, random_state=1).fit(gaps, y), floats, gaps),
 "columns": (make_pipeline(ColumnTransformer([("n", make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["sex"])]), LogisticRegression()).fit(frame, two), columns, frame),
 "network": (MLPClassifier((5,), max_iter=200, random_state=1).fit(x, two), floats, x),
}
def export(*a, **k): # its histograms have numbers of NumPy, and truths, which onnx refuses
    make = onnx.helper.make_attribute
    onnx.helper.make_attribute = lambda key, value, *a, **k: make(key, [int(e) if isinstance(e, (bool, np.bool_, np.integer)) else e for e in value] if isinstance(value, list) else value, *a, **k)
    try: return skl2onnx.to_onnx(*a, **k)
    finally: onnx.helper.make_attribute = make
out = {"made with": {m.__name__: m.__version__ for m in (sklearn, skl2onnx, onnx, ort)}, "models": []}
used = {}
for name, (model, types, rows) in models.items():
    for zipped in ([True, False] if hasattr(model, "predict_proba") and name in ("logistic", "tree of three words") else [False]):
        options = {id(model): {"zipmap": zipped}} if hasattr(model, "predict_proba") else None
        file = export(model, initial_types=types, options=options, target_opset={"": 17, "ai.onnx.ml": 3}).SerializeToString()
        for n in onnx.load_from_string(file).graph.node: used.setdefault((n.domain, n.op_type), []).append(name)
        some = rows[:12]
        feeds = {c: some[[c]].to_numpy(object if c == "sex" else np.float32) for c in some} if isinstance(some, pd.DataFrame) else {"x": some}
        session = ort.InferenceSession(file)
        def tensor(v):
            v = np.asarray(v)
            kind = {"f": "float32", "d": "float64", "l": "int64", "q": "int64", "?": "bool"}.get(v.dtype.char, "string")
            return {"type": kind, "dims": list(v.shape), "data": ["%.9g" % e if kind == "float32" else str(e) for e in v.reshape(-1).tolist()]}
        answers = {}
        for o, v in zip(session.get_outputs(), session.run(None, feeds)):
            if isinstance(v, list): v = np.array([[row[k] for k in row] for row in v], np.float32)
            answers[o.name] = tensor(v)
        out["models"].append({"name": name + (", zipped" if zipped else ""), "model": base64.b64encode(file).decode(),
            "inputs": {k: tensor(v) for k, v in feeds.items()}, "outputs": answers})
json.dump(out, open(sys.argv[1], "w"), indent=1, sort_keys=True)
for k, v in sorted(used.items()): print(k, v[:3])
