package queue_test

import (
	"fmt"
	"strings"
	"testing"

	"calotype/kit/config"
	"calotype/services/image/app/queue"
)

func TestValidateAsksForWhatTheKindNeeds(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*queue.Config)
		want   string
	}{
		{"the defaults", func(*queue.Config) {}, ""},
		{"no file", func(c *queue.Config) { c.Path = "" }, "path"},
		{"no file, but brokers", func(c *queue.Config) { c.Kind, c.Path = queue.RabbitMQ, "" }, ""},
		{"brokers that are not asked for", func(c *queue.Config) { c.RabbitMQ.URLs = nil }, ""},
		{"no brokers", func(c *queue.Config) { c.Kind, c.RabbitMQ.URLs = queue.RabbitMQ, nil }, "rabbitmq.urls"},
		{"a password where it would be shown", func(c *queue.Config) { c.Kind, c.RabbitMQ.URLs = queue.RabbitMQ, []string{"amqp://u:p@h/"} }, "rabbitmq.urls"},
		{"more losses than the broker bears", func(c *queue.Config) { c.Kind, c.MaxDeliveries = queue.RabbitMQ, 21 }, "max_deliveries"},
		{"no kind", func(c *queue.Config) { c.Kind = "" }, "kind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := queue.DefaultConfig()
			c.change(&cfg)
			var paths []string
			for _, f := range cfg.Validate() {
				paths = append(paths, f.Path)
				if strings.Contains(f.Message, "u:p") {
					t.Errorf("the fault shows the password: %s", f.Message)
				}
			}
			if got := fmt.Sprint(strings.Join(paths, " ")); got != c.want {
				t.Errorf("faults in %q, want %q", got, c.want)
			}
		})
	}
}

func TestSettingsOfBrokersAreRead(t *testing.T) {
	var all struct {
		Queue queue.Config `koanf:"queue"`
	}
	all.Queue = queue.DefaultConfig()
	err := config.Load(&all, config.Sources{EnvPrefix: "X_", Env: []string{
		"X_QUEUE__KIND=rabbitmq", "X_QUEUE__RABBITMQ__URLS=amqp://a:5672/,amqps://b:5671/v", "X_QUEUE__RABBITMQ__PASSWORD=s3cret", "X_QUEUE__MAX_DELIVERIES=4",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if c := all.Queue; len(c.RabbitMQ.URLs) != 2 || c.RabbitMQ.Password.Reveal() != "s3cret" || c.MaxDeliveries != 4 {
		t.Errorf("read %+v", c)
	}
	if shown := fmt.Sprintf("%v %+v %#v", all, all, all); strings.Contains(shown, "s3cret") {
		t.Error("the password shows")
	}
}
