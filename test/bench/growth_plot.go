package main

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"text/template"
)

// The picture's measures, in pixels.
const (
	panelWidth, panelHeight = 250, 190
	marginLeft, marginRight = 52, 14
	marginTop, marginBottom = 46, 40
)

// picture shows rate, processor time and memory by size, readable on light and dark ground.
func (s *Series) picture() []byte {
	type panel struct {
		X     int
		Title string
		Lines []mark
		Sizes []mark
		Dots  []mark
		Path  string
	}
	var panels []panel
	for i, of := range []struct {
		title string
		value func(Sample) float64
	}{{"notifications a second", rate}, {"CPU µs a notification", cpu}, {"peak RSS, MiB", rss}} {
		p := panel{X: i * panelWidth, Title: of.title}
		most := 0.0
		for _, at := range s.Points {
			most = max(most, of.value(at.Sample))
		}
		top := nice(most)
		for _, share := range []float64{0, 0.5, 1} {
			p.Lines = append(p.Lines, mark{Y: height(share), Text: short(top * share)})
		}
		for n, at := range s.Points {
			m := mark{X: s.place(n), Y: height(of.value(at.Sample) / top), Text: short(float64(at.Size))}
			p.Sizes, p.Dots = append(p.Sizes, m), append(p.Dots, m)
			p.Path += fmt.Sprintf("%.1f,%.1f ", m.X, m.Y)
		}
		panels = append(panels, p)
	}
	var b bytes.Buffer
	err := svg.Execute(&b, map[string]any{
		"Width": panelWidth * len(panels), "Height": panelHeight, "Title": s.What, "Of": s.Of, "Panels": panels,
		"Left": marginLeft, "Right": panelWidth - marginRight, "Bottom": panelHeight - marginBottom,
		"Middle": (marginLeft + panelWidth - marginRight) / 2,
	})
	if err != nil { // of a template and data of ours
		panic(err)
	}
	return b.Bytes()
}

// mark is a place in a panel, with a text.
type mark struct {
	X, Y float64
	Text string
}

// place is where a point stands from left to right: by the logarithm of its size.
func (s *Series) place(n int) float64 {
	log := func(i int) float64 { return math.Log(float64(s.Points[i].Size + s.Shift)) }
	const width = panelWidth - marginLeft - marginRight - 2*inset
	span := log(len(s.Points)-1) - log(0)
	if span <= 0 {
		return marginLeft + inset
	}
	return marginLeft + inset + width*(log(n)-log(0))/span
}

const inset = 12

func height(share float64) float64 {
	return marginTop + (panelHeight-marginTop-marginBottom)*(1-share)
}

// nice is the least of 1, 2, 4, 5 and 8 with zeros that is not below v.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 4, 5, 8} {
		if n*unit >= v {
			return n * unit
		}
	}
	return 10 * unit
}

// short writes 1500000 as 1.5M.
func short(v float64) string {
	const kilo, mega = 1e3, 1e6
	switch {
	case v >= mega:
		return strconv.FormatFloat(v/mega, 'g', 3, 64) + "M"
	case v >= 10*kilo:
		return strconv.FormatFloat(v/kilo, 'g', 3, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

//nolint:gochecknoglobals // parsed once
var svg = template.Must(template.New("svg").Parse(`<svg xmlns="http://www.w3.org/2000/svg" width="{{.Width}}" height="{{.Height}}" ` +
	`viewBox="0 0 {{.Width}} {{.Height}}" role="img">
<title>{{.Title}}</title>
<style>
text { font: 11px system-ui, sans-serif; fill: #57606a }
.title { font-weight: 600; fill: #1f2328 }
.grid { stroke: #d0d7de }
.line { stroke: #0969da; stroke-width: 2; fill: none }
.dot { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 }
.title { fill: #f0f6fc }
.grid { stroke: #3d444d }
.line { stroke: #4493f8 }
.dot { fill: #4493f8 }
}
</style>
<text class="title" x="8" y="16">{{.Title}}</text>
{{range .Panels}}<g transform="translate({{.X}} 0)">
<text x="{{$.Left}}" y="36">{{.Title}}</text>
{{range .Lines}}<line class="grid" x1="{{$.Left}}" x2="{{$.Right}}" y1="{{printf "%.1f" .Y}}" y2="{{printf "%.1f" .Y}}"/>` +
	`<text x="46" y="{{printf "%.1f" .Y}}" dy="4" text-anchor="end">{{.Text}}</text>
{{end}}{{range .Sizes}}<text x="{{printf "%.1f" .X}}" y="{{$.Bottom}}" dy="16" text-anchor="middle">{{.Text}}</text>
{{end}}<text x="{{$.Middle}}" y="{{$.Bottom}}" dy="32" text-anchor="middle">{{$.Of}}</text>
<polyline class="line" points="{{.Path}}"/>
{{range .Dots}}<circle class="dot" cx="{{printf "%.1f" .X}}" cy="{{printf "%.1f" .Y}}" r="3"/>
{{end}}</g>
{{end}}</svg>
`))
