package fed

import "fmt"

// Sparse names the cells of a site's rows that hold somebody, but fewer than least
// people, among those that the plan counts by time or by value: on the grid by group
// and by how the time ended (kaplan-meier; cox, if it has a grid), and in histograms
// (describe). Rows without a Unit are a person each.
func (p *Plan) Sparse(train, test Rows, least int) []string {
	c := census{people: map[string]map[int]bool{}}
	switch p.family.(type) {
	case kaplanMeier:
		p.times(&c, joined(train, test))
	case describe:
		p.values(&c, joined(train, test))
	default:
		if p.cells() > 0 {
			p.times(&c, train)
		}
	}
	var few []string
	for _, cell := range c.order {
		if n := len(c.people[cell]); n < least {
			few = append(few, fmt.Sprintf("%s: %d", cell, n))
		}
	}
	return few
}

// census counts people by cell, in the order in which cells are met.
type census struct {
	order  []string
	people map[string]map[int]bool
}

func (c *census) add(cell string, rows Rows, i int) {
	if c.people[cell] == nil {
		c.people[cell] = map[int]bool{}
		c.order = append(c.order, cell)
	}
	person := i
	if rows.Unit != nil {
		person = rows.Unit[i]
	}
	c.people[cell][person] = true
}

func (p *Plan) times(c *census, rows Rows) {
	width := p.model.Grid.Width.Float()
	for i, t := range rows.Time {
		group := ""
		if _, curves := p.family.(kaplanMeier); curves {
			for j, v := range rows.X[i] {
				if v == 1 {
					group = p.columns[j] + ", "
				}
			}
		}
		end := "censored"
		if rows.Y[i] == 1 {
			end = "with the event"
		}
		if at := p.cell(t); at < p.cells() {
			c.add(fmt.Sprintf("%s%s over %g to %g, %s", group, p.model.Time, width*float64(at), width*float64(at+1), end), rows, i)
		} else { // what all counts leave of all rows
			c.add(fmt.Sprintf("%s%s over %g", group, p.model.Time, width*float64(at)), rows, i)
		}
	}
}

func (p *Plan) values(c *census, rows Rows) {
	for _, f := range p.features() {
		if !f.number || p.model.Bins == 0 {
			continue
		}
		for i, x := range rows.X {
			c.add(fmt.Sprintf("%s, part %d of %d", f.name, 1+p.countedIn(f, x, rows.Y[i]), p.model.Bins), rows, i)
		}
	}
}
