package servers

import "testing"

// Another leads when the leader was killed, and the dead one returns to its place.
func TestEtcdCluster(t *testing.T) {
	c := NewEtcdCluster(t, 3)
	first := c.Leader()
	first.Kill()
	if second := c.Leader(); second == first {
		t.Error("the dead leads")
	}
	first.Start()
	if c.Follower().Addr == c.Leader().Addr || len(c.Addresses()) != 3 {
		t.Error("the leader follows")
	}
}
