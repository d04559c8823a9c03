package serve

import "testing"

func TestAlike(t *testing.T) {
	for _, c := range []struct {
		task, a, b string
		want       bool
	}{
		{Predict, `{"id":"1","model_version":"2","outputs":[{"name":"p","shape":[2],"data":[0.5,1]}]}`, `{"outputs":[{"data":[0.5000001,1],"shape":[2],"name":"p"}]}`, true},
		{Predict, `{"outputs":[{"name":"p","data":[0.5]}]}`, `{"outputs":[{"name":"p","data":[0.51]}]}`, false},
		{Predict, `{"outputs":[{"name":"p","data":[0.5]}]}`, `{"outputs":[{"name":"p","data":[0.5,0.5]}]}`, false},
		{Predict, `{"outputs":[{"name":"p","data":[0.5]}]}`, `{"outputs":[{"name":"q","data":[0.5]}]}`, false},
		{Predict, `{"outputs":[{"name":"p","data":[1]}]}`, `{"outputs":[{"name":"p","data":["1"]}]}`, false},
		{Predict, `{}`, `{}`, false}, // neither says anything
		{Chat, `{"id":"a","created":1,"choices":[{"x":null}]}`, `{"id":"b","created":2,"choices":[{"x":null}]}`, true},
		{Embed, `{"data":[{"embedding":[-1,1e-30]}]}`, `{"data":[{"embedding":[-1,0]}]}`, false},
		{HTTP, `{"a":[true,{"b":"x"}]}`, `{"a":[true,{"b":"x"}]}`, true},
		{HTTP, `{"a":1}`, `{"a":1,"b":1}`, false},
		{HTTP, `{"a":1,"c":1}`, `{"a":1,"b":1}`, false},
		{HTTP, `0`, `-0`, true},
		{HTTP, `nonsense`, `nonsense`, false},
	} {
		if Alike(c.task, []byte(c.a), []byte(c.b), 1e-6) != c.want || Alike(c.task, []byte(c.b), []byte(c.a), 1e-6) != c.want {
			t.Errorf("%s, %s and %s", c.task, c.a, c.b)
		}
	}
}

func FuzzAlike(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,{"b":null}]}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if Alike(HTTP, a, b, 1e-6) != Alike(HTTP, b, a, 1e-6) {
			t.Fatal("it depends on who comes first")
		}
	})
}
