package bench

import (
	"flag"
	"regexp"
	"sync"
	"testing"

	"calotype/test/servers"
)

const (
	posters = 64  // who post jobs one by one at once
	batched = 8   // who post batches at once
	batch   = 100 // jobs of a batch
)

var only = flag.String("jobs", "", "which lines of BenchmarkJobs to measure, as a regular expression; all by default")

// BenchmarkJobs brings jobs that make nothing through Calotype and through what it is compared with, in turns, on servers of this machine:
// posted one by one, and in batches. What is acknowledged is on a disk, but where a line says otherwise. Each has 64 workers, and River as
// many as its own benchmark gives it.
func BenchmarkJobs(b *testing.B) {
	postgres := &backend{name: "postgres"}
	database := servers.NewPostgres(b)
	postgres.pid = database.Pid
	broker := servers.NewRabbitMQ(b)
	rabbit := &backend{name: "rabbitmq", pid: broker.Pid}

	cluster := sync.OnceValue(func() *plant {
		return newPlant(b, plantConfig{postgres: database.Database(b), rabbitmq: broker.Addr})
	})
	embedded := sync.OnceValue(func() *plant { return newPlant(b, plantConfig{}) })
	stored := sync.OnceValue(func() *plant {
		return newPlant(b, plantConfig{postgres: database.Database(b), rabbitmq: broker.Addr, prefix: "stored.", storage: true})
	})
	river := sync.OnceValue(func() *riverPlant { return newRiver(b, database.Database(b), postgres) })
	redis := func(fsync string) func() *contender {
		return func() *contender {
			return asynqJobs(b, servers.NewRedis(b, "--appendonly", "yes", "--appendfsync", fsync))
		}
	}
	singles := &group{title: "one by one", broker: "broker, each waits for its confirm", river: "River"}
	singles.add("cluster, gRPC", func() *contender { return cluster().singly(false, rabbit, postgres) })
	singles.add("cluster, REST", func() *contender { return cluster().singly(true, rabbit, postgres) })
	singles.add("cluster, gRPC, real storage", func() *contender { return stored().singly(false, rabbit, postgres) })
	singles.add("embedded, gRPC", func() *contender { return embedded().singly(false) })
	singles.add("embedded, REST", func() *contender { return embedded().singly(true) })
	singles.add(singles.broker, func() *contender { return bareBroker(b, broker.URL, rabbit) })
	singles.add(singles.river, func() *contender { return river().singly() })
	singles.add("asynq, fsync every second", redis("everysec"))
	singles.add("asynq, fsync always", redis("always"))

	batches := &group{title: "batches of 100", broker: "broker, 100 before waiting", river: "River, InsertMany"}
	batches.add("cluster, gRPC, batches", func() *contender { return cluster().inBatches(false, rabbit, postgres) })
	batches.add("cluster, REST, batches", func() *contender { return cluster().inBatches(true, rabbit, postgres) })
	batches.add("embedded, gRPC, batches", func() *contender { return embedded().inBatches(false) })
	batches.add(batches.broker, func() *contender { return pipelinedBroker(b, broker.URL, rabbit) })
	batches.add(batches.river, func() *contender { return river().inBatches() })

	wanted, err := regexp.Compile(*only)
	if err != nil {
		b.Fatal(err)
	}
	groups := []*group{singles, batches}
	for _, g := range groups {
		g.begin(wanted)
	}
	for b.Loop() {
		compare(b, groups)
	}
	b.ReportMetric(0, "ns/op")
}
