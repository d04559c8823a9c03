package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"croft"
)

// No part of a study can change unseen: each has its line in a comparison.
func TestDiffSeesEveryPart(t *testing.T) {
	name := func(id croft.MemberID) string { return id.Short() }
	study := func() croft.Study { // with something everywhere, so that everything can change
		s := asked().Plan
		s.Model.Grid.Cells = 3
		return s
	}
	before := traits(study(), name)
	if d := differences(before, traits(study(), name)); len(d) != 0 {
		t.Fatalf("the same differs: %+v", d)
	}
	changed := study()
	parts := 0
	var visit func(path string, v reflect.Value)
	try := func(path string, v reflect.Value, to any) {
		t.Helper()
		parts++
		old := reflect.ValueOf(v.Interface())
		if old.Kind() == reflect.Slice { // not the same memory
			old = reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v)
		}
		v.Set(reflect.ValueOf(to).Convert(v.Type()))
		d := differences(before, traits(changed, name))
		if len(d) == 0 {
			t.Errorf("%s: a change goes unseen", path)
		}
		for _, x := range d {
			if x.What == "" || x.A == x.B || strings.Contains(x.What, "{") {
				t.Errorf("%s: %+v", path, x)
			}
		}
		v.Set(old)
	}
	visit = func(path string, v reflect.Value) {
		switch x := v.Interface().(type) {
		case croft.Decimal:
			try(path, v, croft.Decimal{Mantissa: x.Mantissa + 1, Scale: x.Scale})
			return
		case []croft.MemberID:
			try(path, v, append(slices.Clone(x), croft.MemberID{9}))
			return
		case []string:
			try(path, v, append(slices.Clone(x), "more"))
			return
		case croft.MissingRule:
			try(path, v, map[croft.MissingRule]croft.MissingRule{"": croft.MissingDrop, croft.MissingDrop: "", croft.MissingValue: croft.MissingDrop}[x])
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for f, part := range v.Fields() {
				visit(path+"."+f.Name, part)
			}
		case reflect.Slice:
			for i := range v.Len() {
				visit(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		case reflect.String:
			try(path, v, v.String()+"x")
		case reflect.Bool:
			try(path, v, !v.Bool())
		case reflect.Int64:
			try(path, v, v.Int()+1)
		case reflect.Uint8, reflect.Uint16, reflect.Uint32:
			try(path, v, v.Uint()+1)
		default:
			t.Errorf("%s: the test cannot change a %s", path, v.Kind())
		}
	}
	visit("study", reflect.ValueOf(&changed).Elem())
	if parts < 40 {
		t.Errorf("only %d parts were changed", parts)
	}
}

func TestDiffInWords(t *testing.T) {
	name := func(id croft.MemberID) string { return id.Short()[:2] }
	a, b := asked().Plan, asked().Plan
	b.Sites = append(slices.Clone(a.Sites[:2]), croft.MemberID{0xab})
	b.Schema.Columns = slices.Clone(a.Schema.Columns[1:])
	b.Schema.Columns[0].Levels = []string{"south & east", "north"}
	var got []string
	for _, d := range differences(traits(a, name), traits(b, name)) {
		got = append(got, d.What+" | "+d.A+" | "+d.B)
	}
	third := name(a.Sites[2])
	want := []string{
		"Sites | also: " + third + " | also: ab", "Columns | also: age | –",
		"age: kind | number | –", "age: unit | years | –", "age: range | 0 to 120.5 | –", "age: a missing value | 40 is put in | –",
		"region: levels | north, south & east | south & east, north",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
