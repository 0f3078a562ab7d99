package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/fliliy/chat/deploy/loadgen"
)

// Report is what a run of the bench found, and how it came about.
type Report struct {
	Title    string
	Facts    []string // machine, commit, command, …
	Outcomes []*Outcome
}

// WriteText writes the table: every figure with its bar, its median, the least and the most.
func (r *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Title)
	for _, fact := range r.Facts {
		fmt.Fprintf(w, "%s\n", fact)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\nscenario\tserver\tfigure\tbar\tmedian\tleast – most\t\n")
	for _, o := range r.Outcomes {
		for i := range o.Row.Figures {
			f := &o.Row.Figures[i]
			median, least, most := o.Median(f)
			bar, missed := f.bar(), ""
			switch {
			case o.Server != ours:
				bar = "" // the bars are ours
			case len(o.Runs) > 0 && !f.Reached(median):
				missed = "missed"
			}
			fmt.Fprintf(t, "%s\t%s\t%s, %s\t%s\t%s\t%s – %s\t%s\n", o.Row.Name, o.Server, f.Name, f.Unit, bar, number(median),
				number(least), number(most), missed)
		}
		for n, run := range o.Runs {
			if !run.Clean() {
				fmt.Fprintf(t, "%s\t%s\trun %d: %+v, %d connections broke\t\t\t\tWRONG\n", o.Row.Name, o.Server, n+1, run.Faults,
					run.Load.Counts.Broken)
			}
		}
	}
	return t.Flush()
}

func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// results are all runs in order.
func (r *Report) results() (all []*loadgen.Result) {
	for _, o := range r.Outcomes {
		for _, run := range o.Runs {
			all = append(all, run.Result)
		}
	}
	return all
}

// WriteJSON writes everything that was measured.
func (r *Report) WriteJSON(w io.Writer) error {
	type figure struct {
		Name, Unit          string
		Bar                 float64 `json:",omitempty"`
		Median, Least, Most float64
	}
	type outcome struct {
		Scenario, Server string
		Size             Size
		Figures          []figure
		Runs             []*Run
	}
	page := struct {
		Title    string
		Facts    []string
		Outcomes []outcome
	}{Title: r.Title, Facts: r.Facts}
	for _, o := range r.Outcomes {
		one := outcome{Scenario: o.Row.Name, Server: o.Server, Size: o.Row.Size, Runs: o.Runs}
		for i := range o.Row.Figures {
			f := &o.Row.Figures[i]
			median, least, most := o.Median(f)
			one.Figures = append(one.Figures, figure{f.Name, f.Unit, f.Bar, median, least, most})
		}
		page.Outcomes = append(page.Outcomes, one)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(page)
}

// WriteHTML writes the report with plots of every run.
func (r *Report) WriteHTML(w io.Writer) error {
	return loadgen.WriteHTML(w, r.Title, r.Facts, r.results())
}

// Save writes the report in all forms: to a path, with an ending for each. The folder is made where it is missing.
func (r *Report) Save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("make the folder for results: %w", err)
	}
	var failed []error
	for ending, write := range map[string]func(io.Writer) error{
		".txt": r.WriteText, ".json": r.WriteJSON, ".html": r.WriteHTML,
	} {
		failed = append(failed, save(path+ending, write))
	}
	return errors.Join(failed...)
}

func save(path string, write func(io.Writer) error) error {
	file, err := os.Create(path) //nolint:gosec // G304: the path is the caller's choice
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return errors.Join(write(file), file.Close())
}
