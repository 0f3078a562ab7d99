package scenario

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Scenario is one kind of load. Zero values mean none, unless it is said otherwise.
type Scenario struct {
	Name  string `yaml:"name"`
	About string `yaml:"about"` // one line for reports

	Connections int  `yaml:"connections"` // users, each with one
	AtOnce      int  `yaml:"at_once"`     // connections being made at a time; default 128
	Queues      bool `yaml:"queues"`      // subscribe the target's queues besides the rooms

	Rooms   Rooms `yaml:"rooms"`
	Payload int   `yaml:"payload"` // bytes of a message's content, at least MinPayload; default 128
	Load    Load  `yaml:"load"`
	Storm   Storm `yaml:"storm"`

	Warmup   time.Duration `yaml:"warmup"`   // load that is not measured yet
	Duration time.Duration `yaml:"duration"` // what is measured, after everybody is live
}

// Rooms say who is with whom.
type Rooms struct {
	Size    int `yaml:"size"`    // members of a room
	Each    int `yaml:"each"`    // rooms a user is in; default 1
	Senders int `yaml:"senders"` // members of a room that send; default all, in rooms of more than 100 one
}

// Load is what users do once all are live. The rates are of all users together, a second.
type Load struct {
	// Closed sends the next message when an earlier one is done; Window are under way at a time, per sender and room.
	Closed Until `yaml:"closed"`
	Window int   `yaml:"window"` // default 1
	// Rate is of messages that are sent whatever became of earlier ones; latencies count from when they were due.
	Rate float64 `yaml:"rate"`

	Reads  float64 `yaml:"reads"`  // read marks
	Typing float64 `yaml:"typing"` // typing signs
	Status float64 `yaml:"status"` // presence changes
	Churn  float64 `yaml:"churn"`  // connections that are cut and come back
}

// Until is what ends a message in a closed loop.
type Until string

// The ends of a message: none (no closed loop), its RECEIPT, its arrival at every subscriber.
const (
	Never    Until = ""
	Receipt  Until = "receipt"
	Complete Until = "complete"
)

// Storm cuts connections all at once. They come back elsewhere: on the next server, where there are several.
type Storm struct {
	After time.Duration `yaml:"after"` // the beginning of the measurement
	Share float64       `yaml:"share"` // of the connections, 0 to 1
}

// MinPayload is the least content of a message: what the load generator itself writes into it.
const MinPayload = 40

//go:embed scenarios/*.yaml
var scenarios embed.FS

// Names are the scenarios that are built in.
func Names() []string { return names(scenarios, "scenarios") }

func names(files fs.FS, folder string) []string {
	found, err := fs.Glob(files, folder+"/*.yaml")
	if err != nil {
		return nil // the pattern is good
	}
	for i, name := range found {
		found[i] = strings.TrimSuffix(path.Base(name), ".yaml")
	}
	return found
}

// Open reads a scenario: a built-in one by name, or a file, where the name ends with .yaml.
func Open(name string) (Scenario, error) {
	text, err := open(scenarios, "scenarios", name)
	if err != nil {
		return Scenario{}, err
	}
	return Parse(name, text)
}

func open(files embed.FS, folder, name string) ([]byte, error) {
	if strings.HasSuffix(name, ".yaml") {
		text, err := os.ReadFile(name) //nolint:gosec // G304: the file is the caller's choice
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		return text, nil
	}
	known := names(files, folder)
	if !slices.Contains(known, name) {
		return nil, fmt.Errorf("there is no %q in %s: name a .yaml file or one of %s", name, folder, strings.Join(known, ", "))
	}
	text, err := files.ReadFile(folder + "/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return text, nil
}

// Parse reads a scenario, fills in defaults and checks it. The name of the source is for errors.
func Parse(source string, text []byte) (Scenario, error) {
	var s Scenario
	if err := decode(text, &s); err != nil {
		return Scenario{}, fmt.Errorf("%s: %w", source, err)
	}
	s.fill()
	if err := s.Validate(); err != nil {
		return Scenario{}, fmt.Errorf("%s:\n%w", source, err)
	}
	return s, nil
}

// decode reads one YAML document and nothing else.
func decode(text []byte, into any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	} else if err != nil {
		return err
	}
	if err := decoder.Decode(into); !errors.Is(err, io.EOF) {
		return errors.New("it holds a second document")
	}
	return nil
}

func (s *Scenario) fill() {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&s.AtOnce, 128)
	set(&s.Payload, 128)
	set(&s.Rooms.Each, 1)
	set(&s.Load.Window, 1)
	if s.Rooms.Size <= 100 {
		set(&s.Rooms.Senders, s.Rooms.Size)
	}
	set(&s.Rooms.Senders, 1)
}

// Validate says everything that is wrong, one fault a line, each by its key; nil when nothing is.
func (s *Scenario) Validate() error {
	var faults []error
	demand := func(holds bool, format string, args ...any) {
		if !holds {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	demand(s.Name != "", "name: is missing")
	demand(s.Connections >= 1, "connections: %d, want at least 1", s.Connections)
	demand(s.AtOnce >= 1, "at_once: %d, want at least 1", s.AtOnce)
	demand(s.Rooms.Size >= 1 && s.Rooms.Size <= s.Connections, "rooms.size: %d, want 1 to the number of connections", s.Rooms.Size)
	demand(s.Rooms.Each >= 1, "rooms.each: %d, want at least 1", s.Rooms.Each)
	demand(s.Rooms.Senders >= 1 && s.Rooms.Senders <= s.Rooms.Size, "rooms.senders: %d, want 1 to rooms.size", s.Rooms.Senders)
	demand(s.Payload >= MinPayload && s.Payload <= 16<<10, "payload: %d, want %d to %d", s.Payload, MinPayload, 16<<10)
	demand(s.Duration > 0, "duration: %s, want more than 0", s.Duration)
	demand(s.Warmup >= 0, "warmup: %s, want 0 or more", s.Warmup)
	demand(s.Storm.Share >= 0 && s.Storm.Share <= 1, "storm.share: %g, want 0 to 1", s.Storm.Share)
	demand(s.Storm.After >= 0 && s.Storm.After <= s.Duration, "storm.after: %s, want 0 to the duration", s.Storm.After)
	faults = append(faults, s.Load.faults(s.Rooms)...)
	return errors.Join(faults...)
}

func (l *Load) faults(rooms Rooms) (faults []error) {
	if !slices.Contains([]Until{Never, Receipt, Complete}, l.Closed) {
		faults = append(faults, fmt.Errorf("load.closed: %q, want %s or %s", l.Closed, Receipt, Complete))
	}
	if l.Closed != Never && l.Rate > 0 {
		faults = append(faults, errors.New("load: closed and rate exclude each other"))
	}
	if l.Closed == Complete && rooms.Senders != 1 {
		faults = append(faults, fmt.Errorf("load.closed: %s wants rooms.senders 1, not %d", Complete, rooms.Senders))
	}
	if l.Window < 1 || l.Window > 1024 {
		faults = append(faults, fmt.Errorf("load.window: %d, want 1 to 1024", l.Window))
	}
	for _, rate := range []struct {
		key   string
		value float64
	}{{"rate", l.Rate}, {"reads", l.Reads}, {"typing", l.Typing}, {"status", l.Status}, {"churn", l.Churn}} {
		if rate.value < 0 || rate.value > 1e6 {
			faults = append(faults, fmt.Errorf("load.%s: %g a second, want 0 to 1,000,000", rate.key, rate.value))
		}
	}
	return faults
}
