package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var whole = Topology{
	"nginx": {"c-nginx-1"}, "gateway": {"c-gateway-1", "c-gateway-2"}, "greeter": {"c-greeter-1", "c-greeter-2"},
	"image-manager": {"c-image-manager-1", "c-image-manager-2"}, "image-worker": {"c-image-worker-1", "c-image-worker-2", "c-image-worker-3"},
	"storage": {"c-storage-1", "c-storage-2"}, "consul-1": {"c-consul-1-1"}, "consul-2": {"c-consul-2-1"}, "consul-3": {"c-consul-3-1"},
	"rabbitmq-1": {"c-rabbitmq-1-1"}, "rabbitmq-2": {"c-rabbitmq-2-1"}, "rabbitmq-3": {"c-rabbitmq-3-1"}, "postgres": {"c-postgres-1"},
	"ceph-mon": {"c-ceph-mon-1"}, "ceph-mgr": {"c-ceph-mgr-1"}, "ceph-osd-1": {"c-ceph-osd-1-1"}, "ceph-osd-2": {"c-ceph-osd-2-1"},
	"ceph-osd-3": {"c-ceph-osd-3-1"}, "ceph-rgw-1": {"c-ceph-rgw-1-1"}, "ceph-rgw-2": {"c-ceph-rgw-2-1"}, "jaeger": {"c-jaeger-1"},
}

func TestFullKillsEveryContainerButNginx(t *testing.T) {
	kills := map[string]int{}
	for _, s := range Full(whole, 7) {
		if s.Action == Kill && !s.Leader && len(s.Targets) == 1 {
			kills[s.Targets[0]]++
		}
	}
	for service, all := range whole {
		for _, c := range all {
			want := 1
			if service == "nginx" {
				want = 0
			}
			if kills[c] != want {
				t.Errorf("%s is killed %d times, not %d", c, kills[c], want)
			}
		}
	}
}

func TestFullTakesEachStatefulServiceAway(t *testing.T) {
	away := map[string]int{}
	for _, s := range Full(whole, 7) {
		if s.Action == Kill && s.Lasts == outage {
			away[s.Service] = len(s.Targets)
		}
	}
	if d := cmp.Diff(map[string]int{"consul": 3, "rabbitmq": 3, "ceph": 7}, away); d != "" {
		t.Error(d)
	}
}

func TestShortIsOneOfEach(t *testing.T) {
	var got []string
	for _, s := range Short(whole, 7) {
		what := s.Service
		if s.Leader {
			what += " leader"
		}
		got = append(got, what)
		if s.Action != Kill || !s.Leader && len(s.Targets) != 1 || s.Limits.Failed == 0 {
			t.Errorf("%+v", s)
		}
	}
	slices.Sort(got)
	want := []string{"ceph", "consul leader", "gateway", "greeter", "image-manager", "image-worker", "postgres", "rabbitmq leader", "storage"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestConsulRests(t *testing.T) {
	for _, s := range Full(whole, 7) {
		if s.Service == "consul" && s.Rest < raft {
			t.Errorf("%s leaves Consul %v", s.Name, s.Rest)
		}
	}
}

func TestSeeds(t *testing.T) {
	for name, plan := range map[string]func(Topology, uint64) []Step{"short": Short, "full": Full} {
		if d := cmp.Diff(plan(whole, 3), plan(whole, 3)); d != "" {
			t.Errorf("%s: the same seed gives another plan: %s", name, d)
		}
		if cmp.Equal(plan(whole, 3), plan(whole, 4)) {
			t.Errorf("%s: another seed gives the same plan", name)
		}
	}
}

func TestPartsThatAreNotThere(t *testing.T) {
	for _, s := range Short(Topology{"gateway": {"a"}, "postgres": {"p"}}, 1) {
		if s.Leader || !slices.Contains([]string{"a", "p"}, s.Targets[0]) {
			t.Errorf("%+v", s)
		}
	}
	if left := Matching(Full(whole, 1), []string{"greeter", "all of Ceph"}); len(left) != 3 {
		t.Errorf("%s", String(left))
	}
	if text := String(Matching(Full(whole, 1), []string{"all of Ceph"})); !strings.Contains(text, "1. all of Ceph away") {
		t.Error(text)
	}
}
