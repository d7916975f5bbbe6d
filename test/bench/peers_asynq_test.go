package bench

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"

	"github.com/hibiken/asynq"

	"calotype/test/servers"
)

// asynqJobs enqueues tasks one by one. A task has ended when its handler has, a moment before asynq writes that down.
func asynqJobs(b *testing.B, redis *servers.Redis) *contender {
	b.Helper()
	at := asynq.RedisClientOpt{Addr: redis.Addr, PoolSize: 2 * posters}
	client := asynq.NewClient(at)
	b.Cleanup(func() { _ = client.Close() })
	ended := newTally()
	worker := asynq.NewServer(at, asynq.Config{Concurrency: posters, LogLevel: asynq.FatalLevel})
	err := worker.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		ended.add()
		return nil
	}))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(worker.Shutdown)
	body, err := json.Marshal(nothing{Image: "img_01JD0000000000000000000000", Variants: []string{variant}})
	if err != nil {
		b.Fatal(err)
	}
	return &contender{posters: posters, batch: 1, posted: new(atomic.Int64), uses: []*backend{{name: "redis", pid: redis.Pid}}, post: func(ctx context.Context) error {
		_, err := client.EnqueueContext(ctx, asynq.NewTask("nothing", body))
		return err
	}, drained: ended.reach}
}
