package rabbitmq_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/queuetest"
	"calotype/test/servers"
)

const callers = 64

// BenchmarkPublishAndConsume compares the adapter with the library alone on the same broker: 1 KiB, durable, 64 callers that wait for their
// confirmation each, 64 slots that acknowledge each message.
func BenchmarkPublishAndConsume(b *testing.B) {
	node := servers.NewRabbitMQ(b)
	var plain, ours float64
	b.Run("library", func(b *testing.B) { plain = bare(b, node.URL) })
	b.Run("adapter", func(b *testing.B) {
		ours = adapter(b, node.URL)
		b.ReportMetric(ours/plain, "of-library")
	})
}

func adapter(b *testing.B, url string) float64 {
	q := newNamespace(queuetest.Settings{MaxDeliveries: 3}, url).open(b)
	if _, err := q.Depth(context.Background(), job.Tasks); err != nil { // declares
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var came atomic.Int64
	all, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = q.Consume(ctx, job.Tasks, callers, func(context.Context, job.Delivery) job.Verdict {
			if came.Add(1) == int64(b.N) {
				close(all)
			}
			return job.Done()
		})
	}()
	b.ResetTimer()
	spread(b.N, func(i int) {
		m := job.Message{ID: fmt.Sprint(i), Class: job.Classes()[i%3], Body: make([]byte, 1024)}
		if err := q.Publish(ctx, job.Tasks, m); err != nil {
			b.Error(err)
		}
	})
	<-all
	b.StopTimer()
	stop()
	<-ended
	return rate(b)
}

// bare is the same with one queue and no more than must be.
func bare(b *testing.B, url string) float64 {
	conn, err := amqp.Dial(url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	second, err := amqp.Dial(url)
	if err != nil {
		b.Fatal(err)
	}
	defer second.Close()
	out, err1 := conn.Channel()
	in, err2 := second.Channel()
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	q, err := out.QueueDeclare(fmt.Sprintf("bare%d", names.Add(1)), true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	if err != nil {
		b.Fatal(err)
	}
	if err := out.Confirm(false); err != nil {
		b.Fatal(err)
	}
	if err := in.Qos(callers, 0, false); err != nil {
		b.Fatal(err)
	}
	deliveries, err := in.Consume(q.Name, "", false, false, false, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	all := make(chan struct{})
	go func() {
		defer close(all)
		for range b.N {
			if err := (<-deliveries).Ack(false); err != nil {
				b.Error(err)
			}
		}
	}()
	b.ResetTimer()
	spread(b.N, func(int) {
		c, err := out.PublishWithDeferredConfirmWithContext(context.Background(), "", q.Name, true, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: make([]byte, 1024)})
		if err != nil || !c.Wait() {
			b.Error("not confirmed", err)
		}
	})
	<-all
	b.StopTimer()
	return rate(b)
}

// spread calls do n times from all callers.
func spread(n int, do func(int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				do(int(i))
			}
		})
	}
	group.Wait()
}

func rate(b *testing.B) float64 {
	r := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(r, "messages/s")
	return r
}
