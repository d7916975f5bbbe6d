package caller

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadEvents(t *testing.T) {
	const stream = ": open\n\nevent: queued\nid: 1\ndata: {}\n\n: alive\n\nevent: running\nid: 2\ndata: {\"a\": \"b: c\"}\n\nevent: broken off\n"
	all := []Event{{"queued", "1", "{}"}, {"running", "2", `{"a": "b: c"}`}}
	for what, c := range map[string]struct {
		enough func([]Event) bool
		want   []Event
	}{
		"to the end":      {nil, all},
		"until it is one": {func(e []Event) bool { return len(e) == 1 }, all[:1]},
	} {
		got, err := readEvents(strings.NewReader(stream), c.enough)
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", what, err, d)
		}
	}
}
