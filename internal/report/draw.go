package report

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"

	"croft/internal/api"
	"croft/internal/fed"
)

// drawing is an SVG picture of some width and height, in the order of painting.
// What tells lines apart is their pattern, not their colour: pages are printed.
type drawing struct {
	strings.Builder
	width, height float64
}

const pictureWidth = 640.0

// finish returns the picture; title says what it shows to whoever does not see it.
func (d *drawing) finish(title string) string {
	return fmt.Sprintf(`<figure><figcaption>%[1]s</figcaption><svg role="img" aria-label="%[1]s" viewBox="0 0 %g %g" width="%g" height="%g" font-size="12">%s</svg></figure>`,
		html.EscapeString(title), d.width, d.height, d.width, d.height, d.String())
}

func (d *drawing) line(x1, y1, x2, y2 float64, style string) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#000" %s/>`, x1, y1, x2, y2, style)
}

// text writes from x on, to x (anchor "end") or around it ("middle").
func (d *drawing) text(x, y float64, anchor, s string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, html.EscapeString(s))
}

func (d *drawing) box(x, y, w, h float64, fill string) {
	fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, x, y, w, h, fill)
}

// thin marks what helps the eye and says nothing.
const thin = `stroke-width="0.5" stroke-dasharray="2 3"`

// short keeps a name within its place.
func short(name string) string {
	if letters := []rune(name); len(letters) > 24 {
		return string(letters[:23]) + "…"
	}
	return name
}

// span is an axis from low to high on the page.
type span struct {
	low, high   float64
	left, right float64
	log         bool
}

func (s span) at(v float64) float64 {
	low, high := s.low, s.high
	v = min(max(v, low), high)
	if s.log {
		low, high, v = math.Log(low), math.Log(high), math.Log(v)
	}
	return s.left + (v-low)/(high-low)*(s.right-s.left)
}

// ticks returns about six round numbers along the axis.
func (s span) ticks() (at []float64) {
	if s.log && s.high < 8*s.low {
		return slices.DeleteFunc([]float64{0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6}, func(v float64) bool { return v < s.low || v > s.high })
	}
	if s.log {
		step := max(1, math.Ceil(math.Log2(s.high/s.low)/6))
		for e := math.Ceil(math.Log2(s.low) / step); e*step <= math.Log2(s.high); e++ {
			at = append(at, math.Exp2(e*step))
		}
		return at
	}
	raw := (s.high - s.low) / 6
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*unit >= raw {
			unit *= m
			break
		}
	}
	for v := math.Ceil(s.low/unit) * unit; v <= s.high+unit/1e6; v += unit {
		at = append(at, math.Round(v/unit)*unit)
	}
	return at
}

// mark draws an estimate and its interval on an axis.
func (d *drawing) mark(axis span, y float64, e fed.Estimate) {
	d.line(axis.at(e.Low), y, axis.at(e.High), y, `stroke-width="1.5"`)
	for _, end := range []float64{e.Low, e.High} {
		if end >= axis.low && end <= axis.high { // an end beyond the axis has no tick
			d.line(axis.at(end), y-4, axis.at(end), y+4, "")
		}
	}
	d.box(axis.at(e.Value)-4, y-4, 8, 8, "#000")
}

// rows draws names on the left, marks in the middle and figures on the right.
func rows(title string, axis span, reference float64, names []string, of []fed.Estimate) string {
	const top, step = 10.0, 24.0
	d := &drawing{width: pictureWidth, height: top + step*float64(len(names)) + 40}
	bottom := top + step*float64(len(names))
	for _, t := range axis.ticks() {
		d.line(axis.at(t), top, axis.at(t), bottom, thin)
		d.text(axis.at(t), bottom+16, "middle", num(t))
	}
	d.line(axis.left, bottom, axis.right, bottom, "")
	d.line(axis.at(reference), top, axis.at(reference), bottom, "")
	for i, name := range names {
		y := top + step*(float64(i)+0.5)
		d.text(axis.left-12, y+4, "end", short(name))
		d.mark(axis, y, of[i])
		d.text(axis.right+12, y+4, "start", fmt.Sprintf("%s (%s)", num(of[i].Value), interval(of[i])))
	}
	return d.finish(title)
}

// forest draws each column's estimate with its interval; "" where there are none.
func forest(r api.Result) string {
	var names []string
	var of []fed.Estimate
	ratio := ratios[r.Family].name
	for _, t := range r.Terms {
		if t.Interval == nil || !isColumn(r, t.Name) {
			continue
		}
		name, e := t.Name, *t.Interval
		if ratio != "" {
			if e = *t.Odds; slices.Contains(r.Features, t.Name) {
				e = *t.OddsSD
			}
		}
		names, of = append(names, name), append(of, e)
	}
	if names == nil {
		return ""
	}
	axis := span{low: math.Inf(1), high: math.Inf(-1), left: 170, right: 460, log: ratio != ""}
	reference, title := 0.0, fmt.Sprintf("Differences in %s with one more of each column, with 95 %% intervals", r.Label)
	if axis.log {
		reference, title = 1, fmt.Sprintf("Each column's %s with its 95 %% interval: of one standard deviation more, or of a level compared with the first", ratio)
	}
	for _, e := range of {
		axis.low, axis.high = min(axis.low, e.Low, reference), max(axis.high, e.High, reference)
	}
	if axis.log { // what is not known at all must not hide the rest
		axis.low, axis.high = max(axis.low/1.1, 1.0/64), min(axis.high*1.1, 64)
	} else {
		margin := (axis.high - axis.low) / 20
		axis.low, axis.high = axis.low-margin, axis.high+margin
	}
	return rows(title, axis, reference, names, of)
}

// siteBars draws each site's AUC; "" where the sites' own metrics did not leave.
func siteBars(r api.Result) string {
	var names []string
	var of []fed.Estimate
	for _, s := range r.Sites {
		if s.Rows > 0 && s.AUC.Value > 0 {
			names, of = append(names, s.Name), append(of, s.AUC)
		}
	}
	if names == nil {
		return ""
	}
	return rows("How well the model ranks each site's held-out rows (AUC; 0.5 is a coin)", span{low: 0, high: 1, left: 170, right: 460}, 0.5, append(names, "all sites"), append(of, r.Score.AUC))
}

// patterns tell curves apart; more groups repeat them, told by their names.
var patterns = []string{"", `stroke-dasharray="7 4"`, `stroke-dasharray="2 3"`, `stroke-dasharray="9 3 2 3"`}

// survival draws the curves with their intervals, and the numbers at risk below.
func survival(r api.Result) string {
	if len(r.Curves) == 0 || len(r.Curves[0].Points) == 0 {
		return ""
	}
	const top, bottom, step = 16.0, 280.0, 16.0
	points := r.Curves[0].Points
	x := span{low: 0, high: points[len(points)-1].Time, left: 200, right: 610}
	ticks := []float64{0} // where a cell ends, so that the numbers at risk are exact
	for i := 1; i <= len(points); i++ {
		if every := (len(points) + 5) / 6; i%every == 0 {
			ticks = append(ticks, points[i-1].Time)
		}
	}
	y := span{low: 0, high: 1, left: bottom, right: top}
	d := &drawing{width: pictureWidth, height: bottom + 70 + step*float64(len(r.Curves))}
	for _, t := range ticks {
		d.line(x.at(t), bottom, x.at(t), bottom+5, "")
		d.text(x.at(t), bottom+18, "middle", num(t))
	}
	for _, s := range []float64{0, 0.25, 0.5, 0.75, 1} {
		d.line(x.left, y.at(s), x.right, y.at(s), thin)
		d.text(x.left-8, y.at(s)+4, "end", fmt.Sprintf("%.0f %%", 100*s))
	}
	d.line(x.left, bottom, x.right, bottom, "")
	d.text((x.left+x.right)/2, bottom+36, "middle", measured(r.Time, r.TimeUnit))
	d.text(40, bottom+52, "start", "at risk")
	for i, c := range r.Curves {
		style := patterns[i%len(patterns)]
		var middle, low, high strings.Builder
		for _, path := range []*strings.Builder{&middle, &low, &high} {
			fmt.Fprintf(path, "M%.1f %.1f", x.at(0), y.at(1))
		}
		for _, p := range c.Points {
			if p.AtRisk == 0 {
				break // nobody is left to be counted
			}
			fmt.Fprintf(&middle, "H%.1fV%.1f", x.at(p.Time), y.at(p.Survival.Value))
			fmt.Fprintf(&low, "H%.1fV%.1f", x.at(p.Time), y.at(p.Survival.Low))
			fmt.Fprintf(&high, "H%.1fV%.1f", x.at(p.Time), y.at(p.Survival.High))
		}
		fmt.Fprintf(d, `<path d="%s" fill="none" stroke="#000" stroke-width="2" %s/>`, middle.String(), style)
		for _, edge := range []*strings.Builder{&low, &high} {
			fmt.Fprintf(d, `<path d="%s" fill="none" stroke="#666" stroke-width="0.7" %s/>`, edge.String(), style)
		}
		line := bottom + 52 + step*float64(i+1)
		d.line(4, line-4, 34, line-4, `stroke-width="2" `+style)
		d.text(40, line, "start", short(c.Name))
		for _, t := range ticks {
			d.text(x.at(t), line, "middle", fmt.Sprint(atRisk(c, t)))
		}
	}
	return d.finish(fmt.Sprintf("Share still without %s = %s, with 95 %% intervals, and the numbers at risk", r.Label, r.PositiveLevel))
}

// measured names what an axis shows.
func measured(name, unit string) string {
	if unit == "" || unit == name {
		return name
	}
	return name + " (" + unit + ")"
}

// atRisk returns how many are followed beyond a time: at the beginning of the cell
// that starts there.
func atRisk(c fed.Curve, time float64) int64 {
	for _, p := range c.Points {
		if p.Time > time*(1+1e-9) {
			return p.AtRisk
		}
	}
	last := c.Points[len(c.Points)-1]
	return last.AtRisk - last.Events - last.Censored
}

// histogram draws how many rows have which values.
func histogram(n api.Distribution) string {
	const top, bottom = 16.0, 176.0
	x := span{low: n.Low, high: n.High, left: 60, right: 610}
	y := span{low: 0, high: float64(max(1, slices.Max(n.Histogram))), left: bottom, right: top}
	d := &drawing{width: pictureWidth, height: bottom + 46}
	for _, t := range y.ticks() {
		d.line(x.left, y.at(t), x.right, y.at(t), thin)
		d.text(x.left-8, y.at(t)+4, "end", num(t))
	}
	for i, c := range n.Histogram {
		low, high := bin(n.Summary, i)
		d.box(x.at(low)+0.5, y.at(float64(c)), x.at(high)-x.at(low)-1, bottom-y.at(float64(c)), "#777")
	}
	for _, t := range x.ticks() {
		d.text(x.at(t), bottom+18, "middle", num(t))
	}
	d.line(x.left, bottom, x.right, bottom, "")
	d.text((x.left+x.right)/2, bottom+36, "middle", measured(n.Name, n.Unit))
	return d.finish("How many rows have which " + n.Name)
}
