// Package suite is the whole of Calotype in one process: every service's own app, on a registry in memory and listeners of this
// machine. It adds no behaviour of its own.
package suite

import (
	"os"
	"path/filepath"

	gateway "calotype/gateway/app"
	"calotype/kit/boot"
	"calotype/kit/config"
	image "calotype/services/image/app"
	"calotype/services/image/app/queue"
	worker "calotype/services/image/worker/app"
	storage "calotype/services/storage/app"
)

// Config is what every service can be told, under the keys that the service itself knows.
type Config struct {
	boot.Config `koanf:",squash"`
	HTTP        gateway.HTTPConfig    `koanf:"http"`
	Limits      gateway.LimitsConfig  `koanf:"limits"`
	Timeouts    gateway.TimeoutConfig `koanf:"timeouts"`
	Signing     gateway.SigningConfig `koanf:"signing"`
	GRPC        gateway.GRPCConfig    `koanf:"grpc"`
	Compat      gateway.CompatConfig  `koanf:"compat"`
	Results     gateway.ResultsConfig `koanf:"results"`
	Storage     storage.StorageConfig `koanf:"storage"`
	Image       image.ImageConfig     `koanf:"image"`
	Queue       queue.Config          `koanf:"queue"`
	Worker      worker.WorkerConfig   `koanf:"worker"`
}

// DefaultConfig keeps everything below one folder.
func DefaultConfig(data string) Config {
	g, s, i, w := gateway.DefaultConfig(), storage.DefaultConfig(), image.DefaultConfig(), worker.DefaultConfig()
	c := Config{
		Config: boot.DefaultConfig(), HTTP: g.HTTP, Limits: g.Limits, Timeouts: g.Timeouts, Signing: g.Signing, GRPC: g.GRPC, Compat: g.Compat, Results: g.Results,
		Storage: s.Storage, Image: i.Image, Queue: i.Queue, Worker: w.Worker,
	}
	c.Ops.Listen = "" // the gateway serves health and metrics already
	c.RPC.Listen = "127.0.0.1:50051"
	c.Storage.Root = filepath.Join(data, "blobs")
	c.Image.Database = filepath.Join(data, "image.db")
	c.Image.Webhooks.KeepSecret = filepath.Join(data, "webhook.secret")
	c.Queue.Path = filepath.Join(data, "queue.db")
	c.Queue.Exclusive = true
	return c
}

// Load fills c from a file and the environment.
func (c *Config) Load(file string) error {
	return config.Load(c, config.Sources{File: file, EnvPrefix: boot.EnvPrefix, Env: os.Environ(), EnvIgnore: boot.OtherVariables()})
}
