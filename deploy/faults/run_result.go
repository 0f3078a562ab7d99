package faults

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// RowResult is what came of one fault.
type RowResult struct {
	Row      int
	Fault    string
	Bar      string // what it is measured by
	Measured string
	OK       bool  // the bar is met
	Failed   error // the fault could not be made, or the system did not recover from it
}

// Result is what a run found out.
type Result struct {
	Options
	Rows      []RowResult
	Report    *Report
	Errors    map[string]int // ERROR events and frames of all clients, by code
	Unsettled error          // not everything had arrived at the end
	Broken    error          // clients that ended by themselves, and processes that did not end when asked
	Took      time.Duration
	Logs      string // the folder with the logs of all processes; empty when all is well
}

// Kept says that the promise was kept: no violation, everything arrived, the system recovered from every fault. It says
// nothing of speed.
func (r *Result) Kept() bool {
	for _, row := range r.Rows {
		if row.Failed != nil {
			return false
		}
	}
	return r.Unsettled == nil && r.Broken == nil && r.Report.Clean()
}

// Clean says that the promise was kept and all bars were met.
func (r *Result) Clean() bool {
	for _, row := range r.Rows {
		if !row.OK {
			return false
		}
	}
	return r.Kept()
}

// Write prints the result as text.
func (r *Result) Write(w io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "row\tfault\tbar\tmeasured\tok")
	for _, row := range r.Rows {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", row.Row, row.Fault, row.Bar, oneLine(row.Measured), yes(row.OK))
	}
	_ = table.Flush() // a Builder takes everything
	fmt.Fprintf(&b, "\n%s\nerrors that clients saw, by code: %v\n", r.Report, r.Errors)
	if r.Unsettled != nil {
		fmt.Fprintln(&b, "unsettled:", r.Unsettled)
	}
	if r.Broken != nil {
		fmt.Fprintln(&b, "broken:", r.Broken)
	}
	fmt.Fprintf(&b, "seed %d, %d clients, %d rooms, %s\n", r.Seed, r.Clients, r.Rooms, r.Took.Round(time.Second))
	if r.Logs != "" {
		fmt.Fprintf(&b, "logs of all processes are kept in %s\n", r.Logs)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Markdown writes the result as a page for deploy/bench/results; facts are lines for its head, such as machine, commit
// and command.
func (r *Result) Markdown(w io.Writer, facts []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Fault run, seed %d\n\n", r.Seed)
	for _, fact := range facts {
		fmt.Fprintf(&b, "- %s\n", fact)
	}
	fmt.Fprintf(&b, "- %d clients, %d rooms, %d rooms each, %.0f messages/s asked for; %d gateways, %d chatsvc; took %s\n",
		r.Clients, r.Rooms, r.RoomsEach, r.Rate, r.Gateways, r.Replicas, r.Took.Round(time.Second))
	fmt.Fprintf(&b, "\n| acknowledged | stored | deliveries |")
	for _, v := range Violations {
		fmt.Fprintf(&b, " %s |", v)
	}
	fmt.Fprintf(&b, "\n|%s\n| %d | %d | %d |", strings.Repeat("---|", len(Violations)+3),
		r.Report.Acked, r.Report.Stored, r.Report.Deliveries)
	for _, v := range Violations {
		fmt.Fprintf(&b, " %d |", r.Report.Counts[v])
	}
	b.WriteString("\n\n| row | fault | bar | measured | ok |\n|---|---|---|---|---|\n")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", row.Row, row.Fault, row.Bar, oneLine(row.Measured), yes(row.OK))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "NO"
}
