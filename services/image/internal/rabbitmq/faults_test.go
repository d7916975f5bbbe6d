package rabbitmq_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/queuetest"
	"calotype/services/image/internal/rabbitmq"
	"calotype/test/servers"
)

const patience = 60 * time.Second

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %s", what, patience)
		panic("unreachable")
	}
}

// consume works in the background until the test's end.
func consume(t *testing.T, q *rabbitmq.Queue, topic string, slots int, handle job.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = q.Consume(ctx, topic, slots, handle) })
	t.Cleanup(func() { cancel(); running.Wait() })
}

func publish(t *testing.T, q *rabbitmq.Queue, topic string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := q.Publish(context.Background(), topic, job.Message{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
}

// A cut connection takes its deliveries with it: who works on one is told, and it comes again.
func cutWhileHandling(t *testing.T, node *servers.RabbitMQ) {
	way := servers.NewRelay(t, node.Addr)
	q := newNamespace(queuetest.Settings{MaxDeliveries: 3}, "amqp://"+way.Addr()+"/").open(t)
	began, ended := make(chan int, 10), make(chan struct{}, 10)
	publish(t, q, "t", "a")
	consume(t, q, "t", 2, func(ctx context.Context, d job.Delivery) job.Verdict {
		began <- d.Attempt
		if d.ID == "a" && d.Attempt == 1 {
			<-ctx.Done()
			ended <- struct{}{}
		}
		return job.Done()
	})
	receive(t, began, "delivery")
	way.Cut()
	receive(t, ended, "end of the handler's context")
	way.Heal()
	if got := receive(t, began, "redelivery"); got != 2 {
		t.Errorf("attempt %d, want 2", got)
	}
	publish(t, q, "t", "b") // the publishing connection was cut, too
	receive(t, began, "delivery of what was published after the cut")
}

func explainsConflicts(t *testing.T, node *servers.RabbitMQ) {
	n := newNamespace(queuetest.Settings{MaxDeliveries: 3}, node.URL)
	conn, err := amqp.Dial(node.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	name := n.cfg.Prefix + "tasks.bulk"
	if _, err := ch.QueueDeclare(name, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	_, err = rabbitmq.Open(context.Background(), n.cfg, quiet(t), job.Tasks)
	if !fault.Is(err, fault.Conflict) || fault.ReasonOf(err) != "QUEUE_TOPOLOGY" {
		t.Fatalf("a queue of another kind in the way gave %v", err)
	}
	for _, word := range []string{name, "inequivalent arg", "delete", "queue.rabbitmq.prefix"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not name %s: %v", word, err)
		}
	}
}

// A broker that is short of memory takes nothing; publishing fails, consuming and settling go on.
func blocked(t *testing.T, node *servers.RabbitMQ) {
	n := newNamespace(queuetest.Settings{MaxDeliveries: 3}, node.URL)
	n.cfg.PublishTimeout, n.cfg.ConfirmTimeout = 2*time.Second, time.Second
	q := n.open(t)
	publish(t, q, "t", "before", "before too")
	node.Ctl("set_vm_memory_high_watermark", "absolute", "1MB")
	err := error(nil)
	for err == nil { // the first may be taken yet
		err = q.Publish(context.Background(), "t", job.Message{ID: "meanwhile"})
	}
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("a blocked broker gave %v", err)
	}
	got := make(chan string, 10)
	consume(t, q, "t", 1, func(_ context.Context, d job.Delivery) job.Verdict {
		got <- d.ID
		return job.Done()
	})
	receive(t, got, "delivery from a blocked broker")
	receive(t, got, "second delivery from a blocked broker")
	node.Ctl("set_vm_memory_high_watermark", "0.4")
	for err = q.Publish(context.Background(), "t", job.Message{ID: "after"}); err != nil; err = q.Publish(context.Background(), "t", job.Message{ID: "after"}) {
		if !fault.Is(err, fault.Unavailable) {
			t.Fatal(err)
		}
	}
	for receive(t, got, "delivery of what was published afterwards") != "after" {
	}
}

// Without any broker a queue opens, and says what is wrong when it is used.
func TestNoBroker(t *testing.T) {
	n := newNamespace(queuetest.Settings{MaxDeliveries: 3}, "amqp://"+servers.FreePort(t)+"/")
	n.cfg.ConfirmTimeout, n.cfg.PublishTimeout = 200*time.Millisecond, 200*time.Millisecond
	n.cfg.Password = "s3cret"
	q, err := rabbitmq.Open(context.Background(), n.cfg, quiet(t), job.Tasks)
	if err != nil {
		t.Fatal(err)
	}
	err = q.Publish(context.Background(), "t", job.Message{ID: "a"})
	if !fault.Is(err, fault.Unavailable) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("publishing gave %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := q.Consume(ctx, "t", 1, nil); err != nil {
		t.Errorf("consuming gave %v", err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := q.Publish(context.Background(), "t", job.Message{ID: "a"}); fault.ReasonOf(err) != "QUEUE_CLOSED" {
		t.Errorf("publishing after Close gave %v", err)
	}
}
