package rabbitmq

import (
	"strings"
	"testing"
)

func TestURLsAreChecked(t *testing.T) {
	for _, c := range []struct{ url, told string }{
		{"amqp://broker:5672/", ""},
		{"amqp://broker/vhost", ""},
		{"amqps://[::1]:5671/", ""},
		{"amqp://broker:/", "not of the form"},
		{"http://broker:5672/", "not of the form"},
		{"broker:5672", "not of the form"},
		{"amqp://me:secret@broker:5672/", "belong into username and password"},
	} {
		cfg := DefaultConfig()
		cfg.URLs = []string{"amqp://localhost/", c.url}
		var told []string
		for _, f := range cfg.Validate() {
			told = append(told, f.Path+" "+f.Message)
		}
		all := strings.Join(told, "\n")
		if c.told == "" && all != "" || !strings.Contains(all, c.told) || strings.Contains(all, "secret") {
			t.Errorf("%s: told %q, want %q", c.url, all, c.told)
		}
	}
}
