package command

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	imagev1 "calotype/proto/image/v1"
)

// print writes a message as JSON on one line.
func (e *env) print(m proto.Message) error {
	b, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "%s\n", b)
	return err
}

// table aligns rows by tabs.
func (e *env) table(header string, rows func(row func(cells ...any))) error {
	w := tabwriter.NewWriter(e.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, header)
	rows(func(cells ...any) {
		texts := make([]string, len(cells))
		for i, c := range cells {
			texts[i] = fmt.Sprint(c)
		}
		fmt.Fprintln(w, strings.Join(texts, "\t"))
	})
	return w.Flush()
}

func word(s imagev1.Job_State) string { return strings.ToLower(s.String()) }

// size prints bytes in binary units with one decimal.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/1024, "KiB"
	for _, u := range []string{"MiB", "GiB", "TiB"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, u
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}

func age(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return time.Since(t.AsTime()).Round(time.Second).String() + " ago"
}

// took is how long a job ran, or has run so far.
func took(j *imagev1.Job) string {
	if j.StartTime == nil {
		return "-"
	}
	end := time.Now()
	if j.EndTime != nil {
		end = j.EndTime.AsTime()
	}
	return end.Sub(j.StartTime.AsTime()).Round(time.Millisecond).String()
}

func why(f *imagev1.Failure) string {
	if f == nil {
		return ""
	}
	if f.Variant != "" {
		return fmt.Sprintf("variant %q: %s (%s)", f.Variant, f.Message, f.Reason)
	}
	return fmt.Sprintf("%s (%s)", f.Message, f.Reason)
}
