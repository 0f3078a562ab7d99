package loadgen

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/procfs"
)

// Processes are process ids by name: several ids, or whole trees such as PostgreSQL's, may share one name and are
// added up. A process stands for its children as well.
type Processes map[string][]int

// Names are the names in order.
func (p Processes) Names() []string { return slices.Sorted(maps.Keys(p)) }

// usage is what processes use.
type usage struct {
	CPU time.Duration // since they began, with children that are gone
	RSS int64         // bytes now
}

// ticks of /proc's CPU times: Linux shows them in hundredths of a second, whatever the kernel counts in.
const ticks = 10 * time.Millisecond

// look reads what every name uses now.
func (p Processes) look() (map[string]usage, error) {
	all := map[string]usage{}
	if len(p) == 0 {
		return all, nil
	}
	procs, err := procfs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	stats := make(map[int]procfs.ProcStat, len(procs))
	children := map[int][]int{}
	for _, proc := range procs {
		stat, err := proc.Stat()
		if err != nil {
			continue // it has just ended
		}
		stats[stat.PID] = stat
		children[stat.PPID] = append(children[stat.PPID], stat.PID)
	}
	for name, roots := range p {
		sum := usage{}
		for _, root := range roots {
			if _, alive := stats[root]; !alive {
				return nil, fmt.Errorf("process %d, %s, is gone", root, name)
			}
			sum.add(root, stats, children)
		}
		all[name] = sum
	}
	return all, nil
}

func (u *usage) add(pid int, stats map[int]procfs.ProcStat, children map[int][]int) {
	stat := stats[pid]
	gone := max(stat.CUTime, 0) + max(stat.CSTime, 0)
	u.CPU += time.Duration(stat.UTime+stat.STime+uint(gone)) * ticks //nolint:gosec // G115: hundredths of seconds
	u.RSS += int64(stat.ResidentMemory())
	for _, child := range children[pid] {
		u.add(child, stats, children)
	}
}
