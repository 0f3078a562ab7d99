package loadgen

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"

	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

//go:embed report.html
var reportText string

var reportPage = template.Must(template.New("report").Parse(reportText))

// plot is a picture of lines over a common horizontal axis.
type plot struct {
	Title, Across, Up string
	Lines             []line
	XTicks, YTicks    []tick
}

type line struct {
	Name, Colour string
	Points       template.HTMLAttr // of an SVG polyline
}

type tick struct {
	At   float64
	Text string
}

// The inside of a plot, in SVG units; report.html draws around it.
const (
	plotWidth  = 640.0
	plotHeight = 220.0
)

var colours = []string{"#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#4b5563"}

// WriteHTML writes a report with plots that needs nothing from anywhere else.
func (r *Result) WriteHTML(w io.Writer) error {
	return WriteHTML(w, r.Scenario.Name, nil, []*Result{r})
}

// WriteHTML writes several results into one report, under a title and with facts about how they came about.
func WriteHTML(w io.Writer, title string, facts []string, results []*Result) error {
	type section struct {
		Name, Text string
		Plots      []plot
	}
	page := struct {
		Title    string
		Facts    []string
		Sections []section
	}{Title: title, Facts: facts}
	for _, r := range results {
		var text strings.Builder
		if err := r.WriteText(&text); err != nil {
			return err
		}
		plots, err := r.plots()
		if err != nil {
			return err
		}
		page.Sections = append(page.Sections, section{r.Scenario.Name + " on " + r.Target, text.String(), plots})
	}
	if err := reportPage.Execute(w, page); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (r *Result) plots() ([]plot, error) {
	seconds := func(value func(Second) float64) []point {
		points := make([]point, 0, len(r.Series))
		for _, s := range r.Series {
			points = append(points, point{s.At, value(s)})
		}
		return points
	}
	rates := map[string][]point{
		"live connections": seconds(func(s Second) float64 { return float64(s.Live) }),
		"deliveries/s":     seconds(func(s Second) float64 { return float64(s.Deliveries) }),
		"accepted/s":       seconds(func(s Second) float64 { return float64(s.Accepted) }),
	}
	times := map[string][]point{
		"p50": seconds(func(s Second) float64 { return s.P50 }), "p99": seconds(func(s Second) float64 { return s.P99 }),
	}
	cores, memory := map[string][]point{}, map[string][]point{}
	for name := range r.Memory {
		cores[name] = seconds(func(s Second) float64 { return s.Cores[name] })
		memory[name] = seconds(func(s Second) float64 { return mib(s.RSS[name]) })
	}
	distributions, err := r.distributions()
	if err != nil {
		return nil, err
	}
	plots := []plot{
		draw("Connections and rates", "seconds", "", rates), draw("SEND to MESSAGE", "seconds", "ms", times),
		draw("CPU of the servers", "seconds", "cores", cores), draw("Memory of the servers", "seconds", "MiB", memory),
	}
	if len(distributions) > 0 {
		latency := draw("Latency by percentile", "percentile", "ms", distributions)
		latency.XTicks = nil
		for nines, text := range []string{"0", "90", "99", "99.9", "99.99", "99.999"} {
			latency.XTicks = append(latency.XTicks, tick{float64(nines) / maxNines * plotWidth, text})
		}
		plots = append(plots, latency)
	}
	return plots, nil
}

// maxNines is where distributions end: the percentile of so many nines.
const maxNines = 5

// distributions are the latencies by percentile: the better, the further to the right a line rises.
func (r *Result) distributions() (map[string][]point, error) {
	all := map[string][]point{}
	for _, name := range swarm.Latencies {
		text, measured := r.Histograms[name]
		if !measured {
			continue
		}
		h, err := swarm.Decode(text)
		if err != nil {
			return nil, err
		}
		points := []point{}
		for nines := 0.0; nines <= maxNines; nines += 0.05 {
			points = append(points, point{nines, millis(h.ValueAtQuantile(100 * (1 - math.Pow(10, -nines))))})
		}
		all[string(name)] = points
	}
	return all, nil
}

type point struct{ x, y float64 }

// draw scales lines into the plot, both axes from zero.
func draw(title, across, up string, lines map[string][]point) plot {
	p := plot{Title: title, Across: across, Up: up}
	right, top := 0.0, 0.0
	for _, points := range lines {
		for _, at := range points {
			right, top = max(right, at.x), max(top, at.y)
		}
	}
	right, top = max(right, 1e-9), max(top, 1e-9)
	for i, name := range sorted(lines) {
		var b strings.Builder
		for _, at := range lines[name] {
			fmt.Fprintf(&b, "%.1f,%.1f ", at.x/right*plotWidth, plotHeight-at.y/top*plotHeight)
		}
		attribute := template.HTMLAttr(`points="` + b.String() + `"`) //nolint:gosec // G203: numbers only
		p.Lines = append(p.Lines, line{name, colours[i%len(colours)], attribute})
	}
	for i := range 5 {
		share := float64(i) / 4
		p.XTicks = append(p.XTicks, tick{share * plotWidth, short(share * right)})
		p.YTicks = append(p.YTicks, tick{plotHeight - share*plotHeight, short(share * top)})
	}
	return p
}

// short writes a number of an axis.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}
