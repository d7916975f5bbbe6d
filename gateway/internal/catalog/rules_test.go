package catalog

import "testing"

func TestRules(t *testing.T) {
	for _, c := range []struct {
		rules           Rules
		service, method string
		lists, lets     bool
	}{
		{Rules{"*"}, "a.v1.A", "Do", true, true},
		{nil, "a.v1.A", "Do", false, false},
		{Rules{"*", "!a.v1.A"}, "a.v1.A", "Do", false, false},
		{Rules{"*", "!a.v1.A"}, "a.v1.AB", "Do", true, true},
		{Rules{"*", "!a.v1.A/Do"}, "a.v1.A", "Do", true, false},
		{Rules{"*", "!a.v1.A/Do"}, "a.v1.A", "Be", true, true},
		{Rules{"*", "!a.*", "a.v1.A/Do"}, "a.v1.A", "Do", true, true},
		{Rules{"*", "!a.*", "a.v1.A/Do"}, "a.v1.A", "Be", true, false},
		{Rules{"a.*.A"}, "a.v1.A", "Do", true, true},
		{Rules{"a.*.A"}, "a.v1.B", "Do", false, false},
		{Rules{"*.v1.*/Get*"}, "a.v1.A", "GetAll", true, true},
		{Rules{"*.v1.*/Get*"}, "a.v1.A", "Set", true, false},
		{Rules{"!*", "a.v1.A"}, "a.v1.A", "Do", true, true},
	} {
		if lists, lets := c.rules.Service(c.service), c.rules.Method(c.service, c.method); lists != c.lists || lets != c.lets {
			t.Errorf("%v: %s is %v, %s is %v", c.rules, c.service, lists, c.method, lets)
		}
	}
}
