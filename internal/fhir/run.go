package fhir

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Row is the cells of a row, one a column. A cell is nil if there is no value,
// or a string, a bool, a json.Number as it was written; in a column that is a
// collection, a []any of those.
type Row []any

// Run returns the rows of one resource in JSON: none if it is of another type or
// the view's conditions leave it out. It fails if the resource is not one JSON
// object within the bounds, if a condition is neither true nor false, if a column
// that is no collection has several values, if a value is not a simple one, and
// if an expression compares or computes what cannot be.
func (v *View) Run(resource []byte) ([]Row, error) {
	if len(resource) > MaxResource {
		return nil, fmt.Errorf("the resource is longer than %d bytes", MaxResource)
	}
	tree, err := decode(resource)
	if err != nil {
		return nil, err
	}
	fields, ok := tree.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("it is not a JSON object")
	}
	kind, ok := fields["resourceType"].(string)
	if !ok {
		return nil, fmt.Errorf("it has no resourceType")
	}
	if kind != v.Resource {
		return nil, nil
	}
	s := scope{work: new(work), this: item{fields, kind}}
	for _, w := range v.where {
		found, err := w.path.eval(s, []item{s.this})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.at, err)
		}
		yes, err := criterion(found)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.at, err)
		}
		if !yes {
			return nil, nil
		}
	}
	return v.root.rows(s)
}

// rows makes the rows of a selection for the element of the scope.
func (n *selection) rows(s scope) ([]Row, error) {
	if n.each == once {
		return n.product(s)
	}
	found, err := n.find(s, nil, 0)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && n.each == forEachOrNull {
		return []Row{n.blank(nil)}, nil
	}
	var out []Row
	for i, f := range found {
		s.this, s.row = f, i
		rows, err := n.product(s)
		if err != nil {
			return nil, err
		}
		if out = append(out, rows...); len(out)*(n.width+1) > maxCells {
			return nil, errTooManyCells
		}
	}
	return out, nil
}

var errTooManyCells = fmt.Errorf("its rows have more than %d cells", maxCells)

// find appends the elements that a selection's paths find. Those of repeat are
// looked for again in each element found, before the next one.
func (n *selection) find(s scope, found []item, depth int) ([]item, error) {
	for _, path := range n.paths {
		next, err := path.eval(s, []item{s.this})
		if err != nil {
			return nil, err
		}
		if n.each != repeat {
			return next, nil
		}
		if len(next) > 0 && depth == maxDepth { // a path like $this finds itself for ever
			return nil, fmt.Errorf("repeat: it goes more than %d deep", maxDepth)
		}
		for _, f := range next {
			found = append(found, f)
			s.this = f
			if found, err = n.find(s, found, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// product combines each row of each part of a selection with each of the others.
func (n *selection) product(s scope) ([]Row, error) {
	row := make(Row, len(n.columns))
	for i, c := range n.columns {
		found, err := c.path.eval(s, []item{s.this})
		if err == nil {
			row[i], err = c.cell(found)
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	rows := []Row{row}
	for _, part := range n.selects {
		more, err := part.rows(s)
		if err != nil {
			return nil, err
		}
		if rows, err = cross(rows, more); err != nil {
			return nil, err
		}
	}
	if len(n.union) == 0 {
		return rows, nil
	}
	var all []Row
	for _, branch := range n.union {
		more, err := branch.rows(s)
		if err != nil {
			return nil, err
		}
		if all = append(all, more...); len(all)*(branch.width+1) > maxCells {
			return nil, errTooManyCells
		}
	}
	return cross(rows, all)
}

// cross puts each row of b after each row of a.
func cross(a, b []Row) ([]Row, error) {
	if len(a) == 0 || len(b) == 0 {
		return nil, nil
	}
	if int64(len(a))*int64(len(b))*int64(len(a[0])+len(b[0])+1) > maxCells { // the factors are below 2^21, 2^21, 2^11
		return nil, errTooManyCells
	}
	out := make([]Row, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, slices.Concat(x, y))
		}
	}
	return out, nil
}

// blank appends to a row what forEachOrNull puts for an element that is not
// there: no values, but an index counts from 0.
func (n *selection) blank(row Row) Row {
	for _, c := range n.columns {
		if c.rowIndex {
			row = append(row, json.Number("0"))
		} else {
			row = append(row, nil)
		}
	}
	for _, part := range n.selects {
		row = part.blank(row)
	}
	if len(n.union) > 0 {
		row = n.union[0].blank(row)
	}
	return row
}

// cell makes one value, or the list of a collection, of what a path found.
func (c column) cell(found []item) (any, error) {
	if !c.Collection && len(found) > 1 {
		return nil, fmt.Errorf("%d values where there may be one: take one with first(), or say collection", len(found))
	}
	list := make([]any, len(found))
	for i, f := range found {
		if _, compound := f.value.(map[string]any); compound {
			return nil, fmt.Errorf("the value is not a simple one: name a field of it")
		}
		list[i] = f.value
	}
	switch {
	case c.Collection:
		return list, nil
	case len(list) == 0:
		return nil, nil
	default:
		return list[0], nil
	}
}
