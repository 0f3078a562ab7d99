package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/fliliy/chat/deploy/loadgen"
	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

// asked is what the command line asks for.
type asked struct {
	options          loadgen.Options
	json, html       string // files to write, empty for none
	list             bool
	scenario, target string
}

const usage = `loadgen puts a STOMP server under load and measures it.

  loadgen --list
  loadgen --scenario fan-out --server 127.0.0.1:8080 --server 127.0.0.1:8081 --secret … \
          --process gateway=PID --process gateway=PID --process chatsvc=PID --html report.html

`

func parse(args []string, log io.Writer) (*asked, error) {
	worker, err := swarm.WorkerCommand()
	if err != nil {
		return nil, err
	}
	a := &asked{options: loadgen.Options{Worker: worker, Processes: loadgen.Processes{}}}
	o := &a.options
	flags := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.Usage = func() {
		fmt.Fprint(log, usage)
		flags.PrintDefaults()
	}
	flags.BoolVar(&a.list, "list", false, "print the scenarios and targets that are built in")
	flags.StringVar(&a.scenario, "scenario", "fan-out", "the `name` of a built-in scenario, or a .yaml file")
	flags.StringVar(&a.target, "target", "fliliy", "the `name` of a built-in target, or a .yaml file: how the server is spoken to")
	flags.Func("server", "`host:port` of a server; several are used in turn", a.addServer)
	flags.StringVar(&o.Secret, "secret", "", "the `secret` that signs users' tokens (HS256); empty: the server wants none")
	flags.Func("process", "`name=pid` of a process of the server, to be watched; several", a.addProcess)
	flags.Func("source", "IPv4 `address` that a worker's connections come from, such as 127.0.0.2; several for several workers",
		a.addSource)
	flags.IntVar(&o.PerWorker, "per-worker", 0, "connections of one worker process (default 18000)")
	flags.StringVar(&a.json, "json", "", "write the result to this `file`")
	flags.StringVar(&a.html, "html", "", "write a report with plots to this `file`")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: there are only flags, see --help", flags.Arg(0))
	}
	if a.list {
		return a, nil
	}
	if len(o.Servers) == 0 {
		return nil, errors.New("no --server is named, see --help")
	}
	var err1, err2 error
	o.Scenario, err1 = scenario.Open(a.scenario)
	o.Target, err2 = scenario.OpenTarget(a.target)
	return a, errors.Join(err1, err2)
}

func (a *asked) addServer(text string) error {
	resolved, err := net.ResolveTCPAddr("tcp4", text)
	if err != nil {
		return err
	}
	addr := resolved.AddrPort()
	a.options.Servers = append(a.options.Servers, netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()))
	return nil
}

func (a *asked) addProcess(text string) error {
	name, number, found := strings.Cut(text, "=")
	pid, err := strconv.Atoi(number)
	if !found || name == "" || err != nil {
		return errors.New("want name=pid")
	}
	a.options.Processes[name] = append(a.options.Processes[name], pid)
	return nil
}

func (a *asked) addSource(text string) error {
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is4() {
		return errors.New("want an IPv4 address")
	}
	a.options.Sources = append(a.options.Sources, addr)
	return nil
}

// list prints what is built in.
func list(out io.Writer) error {
	for _, name := range scenario.Names() {
		s, err := scenario.Open(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "scenario %-20s %s\n", name, s.About)
	}
	for _, name := range scenario.TargetNames() {
		t, err := scenario.OpenTarget(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "target   %-20s %s\n", name, t.About)
	}
	return nil
}

// write writes the result everywhere it is wanted.
func (a *asked) write(result *loadgen.Result, out io.Writer) error {
	if err := result.WriteText(out); err != nil {
		return err
	}
	for path, write := range map[string]func(io.Writer) error{a.json: result.WriteJSON, a.html: result.WriteHTML} {
		if path == "" {
			continue
		}
		if err := writeFile(path, write); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path) //nolint:gosec // G304: the file is the caller's choice
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return errors.Join(write(file), file.Close())
}
