package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"calotype/cmd/calotype/internal/rest"
	"calotype/cmd/calotype/internal/suite"
	"calotype/kit/boot"
	worker "calotype/services/image/worker/app"
)

// finding is what the doctor has to say about one thing.
type finding struct {
	Subject string `json:"subject"`
	State   string `json:"state"` // ok, note or bad
	Text    string `json:"text"`
}

func newDoctor(e *env) *cobra.Command {
	var data, file string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at this machine and at the server, and say what is wrong; exits 1 when something is",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg := suite.DefaultConfig(data)
			findings := append(here(), folder(data))
			if err := cfg.Load(file); err != nil {
				findings = append(findings, finding{"settings", "bad", err.Error()})
			}
			there := e.there(cmd.Context())
			findings = append(findings, machine(cfg, data, len(there) > 1)...)
			return e.tell(append(findings, there...))
		},
	}
	cmd.Flags().StringVar(&data, "data", "data", "the data folder of `calotype up`")
	cmd.Flags().StringVar(&file, "config", os.Getenv(boot.EnvPrefix+"CONFIG"), "a YAML file of settings (CALOTYPE_CONFIG)")
	return cmd
}

// here is about this binary and the engine that it is linked to.
func here() []finding {
	c := worker.Capabilities()
	return []finding{
		{"calotype", "ok", fmt.Sprintf("%s, %s, %s/%s, %d CPUs", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())},
		{"libvips", "ok", c.Version},
		formats("reads", c.Load, "jpeg", "png", "webp", "gif", "avif", "heic", "tiff"),
		formats("writes", c.Save, "jpeg", "png", "webp", "avif", "gif"),
		sandbox(),
	}
}

// packages are Debian's that bring what a libvips may be without. What is not here comes with libvips itself, or not at all.
var packages = map[string]string{
	"reads avif": "libheif-plugin-dav1d", "reads heic": "libheif-plugin-libde265", "writes avif": "libheif-plugin-aomenc",
}

func formats(subject string, have []string, want ...string) finding {
	var missing []string
	for _, f := range want {
		if !slices.Contains(have, f) {
			missing = append(missing, f)
		}
	}
	if len(missing) > 0 {
		text := fmt.Sprintf("%s, but not %s: this libvips was built without", strings.Join(have, " "), strings.Join(missing, " "))
		for _, f := range missing {
			if p := packages[subject+" "+f]; p != "" {
				text += fmt.Sprintf("; on Debian 13 %s brings %s", p, f)
			}
		}
		return finding{subject, "bad", text}
	}
	return finding{subject, "ok", strings.Join(have, " ")}
}

// sandbox is about what decoding in helper processes needs.
func sandbox() finding {
	box := worker.Sandbox()
	switch {
	case !box.SystemCalls:
		return finding{"isolation", "note", "worker.isolation: process cannot keep its helpers in: " + box.Missing}
	case !box.Files:
		return finding{"isolation", "note", "worker.isolation: process filters system calls; without Landlock its helpers can read files"}
	}
	return finding{"isolation", "ok", "worker.isolation: process filters system calls, and Landlock keeps files away"}
}

// folder is about where `calotype up` would keep its data.
func folder(data string) finding {
	path, err := filepath.Abs(data)
	if err != nil {
		return finding{"data", "bad", err.Error()}
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return finding{"data", "note", path + " is not there yet; `calotype up` makes it"}
	}
	probe, err := os.CreateTemp(path, ".doctor-*")
	if err != nil {
		return finding{"data", "bad", "nothing can be written there: " + err.Error()}
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	return finding{"data", "ok", path}
}

// there is about the server and what it knows.
func (e *env) there(ctx context.Context) []finding {
	c, err := e.client()
	if err != nil {
		return []finding{{"server", "bad", err.Error()}}
	}
	ready, err := c.Ready(ctx)
	if errors.Is(err, rest.ErrUnreachable) {
		return []finding{{"server", "note", "nothing answers at " + c.Server() + "; `calotype up` starts one"}}
	}
	if err != nil {
		return []finding{{"server", "bad", err.Error()}}
	}
	out := []finding{{"server", "ok", c.Server()}}
	for _, name := range slices.Sorted(maps.Keys(ready.Checks)) {
		check := ready.Checks[name]
		state, text := "ok", "ready"
		if !check.OK {
			state, text = "bad", check.Error
		}
		out = append(out, finding{name, state, text})
	}
	out = append(out, e.fleet(ctx, c)...)
	can, err := c.Capabilities(ctx)
	if err != nil {
		return append(out, finding{"engine", "note", "no worker tells what it can do: " + err.Error()})
	}
	var not []string
	for _, f := range can.GetFormats() {
		if !f.GetRead() && !f.GetWritten() {
			not = append(not, f.GetName())
		}
	}
	return append(out, finding{"engine", "ok", fmt.Sprintf("%s, version %s, isolation %s, %d fonts; neither read nor written: %s", can.GetLibrary(),
		can.GetEngineVersion(), can.GetIsolation(), len(can.GetFonts()), orDash(strings.Join(not, " ")))})
}

// fleet counts the nodes of each service: one without any cannot be called.
func (e *env) fleet(ctx context.Context, c *rest.Client) []finding {
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return []finding{{"nodes", "bad", err.Error()}}
	}
	count := map[string]int{}
	for _, s := range services {
		count[s] = 0
	}
	for _, n := range nodes {
		count[n.Service]++
	}
	var out []finding
	for _, s := range slices.Sorted(maps.Keys(count)) {
		f := finding{"nodes of " + s, "ok", fmt.Sprint(count[s])}
		if count[s] == 0 {
			f.State, f.Text = "bad", "none: calls to it fail"
		}
		out = append(out, f)
	}
	return out
}

func (e *env) tell(findings []finding) error {
	bad := 0
	for _, f := range findings {
		if f.State == "bad" {
			bad++
		}
		if e.json {
			b, err := json.Marshal(f)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "%s\n", b)
		}
	}
	if !e.json {
		marks := map[string]string{"ok": "ok  ", "note": "note", "bad": "BAD "}
		for _, f := range findings {
			fmt.Fprintf(e.out, "%s  %-30s %s\n", marks[f.State], f.Subject, f.Text)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d things are wrong", bad, len(findings))
	}
	return nil
}
