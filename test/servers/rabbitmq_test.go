package servers

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestRabbitMQKeepsWhatIsDurable(t *testing.T) {
	r := NewRabbitMQ(t)
	declare := func() (*amqp.Channel, int) {
		conn, err := amqp.Dial(r.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		q, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
		if err != nil {
			t.Fatal(err)
		}
		return ch, q.Messages
	}
	ch, n := declare()
	if n != 0 {
		t.Fatalf("a new queue holds %d", n)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	sent, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", "q", true, false, amqp.Publishing{DeliveryMode: amqp.Persistent})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := sent.WaitContext(t.Context()); !ok || err != nil {
		t.Fatalf("not confirmed: %v", err)
	}
	r.Sync()
	r.Kill()
	r.Start()
	late := time.After(30 * time.Second)
	for { // a queue that has no leader yet counts nothing
		if _, n := declare(); n == 1 {
			return
		}
		select {
		case <-late:
			t.Fatal("after kill -9 the queue does not hold its message")
		case <-time.After(pollEvery):
		}
	}
}

func TestRabbitMQClusterNamesLeaders(t *testing.T) {
	c := NewRabbitMQCluster(t, 3)
	conn, err := amqp.Dial(c.Nodes[1].URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	if got := c.Leader(c.Nodes[0], "q"); got != c.Nodes[1] {
		t.Errorf("%s leads, want that which the declaring client was on", got.Name)
	}
}
