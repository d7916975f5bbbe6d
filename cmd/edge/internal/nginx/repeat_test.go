package nginx

import (
	"regexp"
	"strconv"
	"testing"

	"calotype/kit/config"
)

func TestAtMost(t *testing.T) {
	for _, n := range []int64{0, 1, 7, 9, 10, 11, 19, 20, 99, 100, 101, 110, 999, 1000, 1024, 1999, 2048} {
		is := regexp.MustCompile("^(?:" + atMost(n) + ")$")
		for i := range int64(12_000) {
			if text := strconv.FormatInt(i, 10); is.MatchString(text) != (i <= n) {
				t.Fatalf("%s is at most %d: %v", text, n, !(i <= n))
			}
		}
	}
	const most = int64(8 << 20)
	is := regexp.MustCompile("^(?:" + atMost(most) + ")$")
	for _, c := range []struct {
		text string
		want bool
	}{{"8388608", true}, {"8388607", true}, {"8388599", true}, {"7999999", true}, {"1000000", true}, {"999999", true}, {"8388609", false}, {"8388610", false}, {"8389000", false},
		{"9000000", false}, {"10000000", false}, {"", false}, {"-1", false}, {"1e3", false}, {"8388608 1", false}} {
		if is.MatchString(c.text) != c.want {
			t.Errorf("%q is at most %d: %v", c.text, most, !c.want)
		}
	}
}

func TestTheRoomIsShared(t *testing.T) {
	for _, c := range []struct {
		r            Repeat
		small, large int
	}{{Repeat{8 * config.MiB, 96 * config.MiB}, 48, 6}, {Repeat{config.MiB, 2 * config.MiB}, 8, 1}, {Repeat{8 * config.MiB, 15 * config.MiB}, 7, 0}, {Repeat{0, config.MiB}, 0, 0}} {
		got := map[string]int{}
		for _, k := range c.r.kinds() {
			got[k.Name] = k.AtOnce
		}
		if got["small"] != c.small || got["large"] != c.large {
			t.Errorf("%v: %v", c.r, got)
		}
	}
	dir := t.TempDir()
	if r := (Repeat{1, 2}); r.within(dir) != r {
		t.Errorf("two bytes have become %v", r.within(dir))
	}
	if r := (Repeat{1, 1 << 62}).within(dir); r.Room <= 0 || r.Room >= 1<<62 {
		t.Errorf("4 EiB have become %v", r)
	}
	if r := (Repeat{1, 1 << 62}); r.within("/nowhere") != r {
		t.Error("a folder that is not there bounds it")
	}
}
