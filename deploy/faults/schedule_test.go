package faults

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// rowsOf prints a schedule: its rows, and the seeds of its steps.
func rowsOf(steps []step) (rows []int, all string) {
	for _, s := range steps {
		rows = append(rows, s.row)
		all += fmt.Sprint(s.row, ":", s.seed, " ")
	}
	return rows, all
}

func TestScheduleIsTheSeeds(t *testing.T) {
	t.Parallel()
	const duration = 10 * time.Minute
	p := paceFor(duration)
	rows, one := rowsOf(schedule(7, duration, Rows(), p))
	if _, again := rowsOf(schedule(7, duration, Rows(), p)); again != one {
		t.Errorf("seed 7 gives %s, and then %s", one, again)
	}
	if _, other := rowsOf(schedule(8, duration, Rows(), p)); other == one {
		t.Errorf("seeds 7 and 8 give the same: %s", one)
	}
	first := slices.Sorted(slices.Values(rows[:len(Rows())]))
	if !slices.Equal(first, Rows()) {
		t.Errorf("the first round is %v, want each of %v once", first, Rows())
	}
}

func TestScheduleFillsTheDuration(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		duration time.Duration
		rows     []int
		atLeast  int
	}{
		{"one round of all, however short", time.Second, Rows(), len(Rows())},
		{"one row, short", time.Second, []int{24}, 1},
		{"one row, again and again", 10 * time.Minute, []int{24}, 50},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := paceFor(tc.duration)
			steps := schedule(1, tc.duration, tc.rows, p)
			if len(steps) < tc.atLeast {
				t.Fatalf("%d steps, want at least %d", len(steps), tc.atLeast)
			}
			total := time.Duration(0)
			for _, s := range steps[min(len(tc.rows), len(steps)-1):] {
				total += s.takes(p)
			}
			if len(steps) > len(tc.rows) && total > tc.duration {
				t.Errorf("the rounds after the first take %v of %v", total, tc.duration)
			}
		})
	}
}

func TestParseRows(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		list string
		want []int
		bad  bool
	}{
		{list: "", want: Rows()},
		{list: "1,2", want: []int{1, 2}},
		{list: " 26 , 3", want: []int{26, 3}},
		{list: "8", bad: true},
		{list: "1,,2", bad: true},
		{list: "gateway", bad: true},
	} {
		t.Run(tc.list, func(t *testing.T) {
			t.Parallel()
			got, err := ParseRows(tc.list)
			if (err != nil) != tc.bad || !slices.Equal(got, tc.want) {
				t.Errorf("ParseRows = %v, %v", got, err)
			}
		})
	}
}

func TestPaceReachesTheFiguresOfTheMatrix(t *testing.T) {
	t.Parallel()
	full, short := paceFor(6*time.Minute), paceFor(time.Second)
	if full.natsDown != time.Minute || full.freeze != 10*time.Second || full.partition != 30*time.Second {
		t.Errorf("a run of six minutes has the pace %+v", full)
	}
	if longer := paceFor(time.Hour); longer != full {
		t.Errorf("a longer run has longer faults: %+v", longer)
	}
	if short.kills < 1 || short.points < 1 || short.crashes < 1 || short.pairs < 1 || short.copies < 1 || short.cycles < 1 {
		t.Errorf("a short run leaves faults out: %+v", short)
	}
}
