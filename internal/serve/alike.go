package serve

import (
	"encoding/json"
	"math"
)

// Alike says whether two answers to one request say the same: the same values in the
// same places, numbers within tolerance of the larger one. What names the call or the
// machine (ids, times, usage) does not count.
func Alike(task string, a, b []byte, tolerance float64) bool {
	said := map[string]string{Predict: "outputs", Chat: "choices", Embed: "data"}[task]
	value := func(text []byte) (v any, ok bool) {
		if json.Unmarshal(text, &v) != nil {
			return nil, false
		}
		if said == "" {
			return v, true
		}
		object, _ := v.(map[string]any)
		v, ok = object[said]
		return v, ok
	}
	x, good := value(a)
	y, fine := value(b)
	return good && fine && same(x, y, tolerance)
}

func same(x, y any, tolerance float64) bool {
	switch x := x.(type) {
	case float64:
		y, is := y.(float64)
		return is && math.Abs(x-y) <= tolerance*max(math.Abs(x), math.Abs(y))
	case []any:
		y, is := y.([]any)
		if !is || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !same(x[i], y[i], tolerance) {
				return false
			}
		}
		return true
	case map[string]any:
		y, is := y.(map[string]any)
		if !is || len(x) != len(y) {
			return false
		}
		for name := range x {
			if other, has := y[name]; !has || !same(x[name], other, tolerance) {
				return false
			}
		}
		return true
	}
	return x == y // texts, flags, null
}
