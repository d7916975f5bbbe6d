package app

import (
	"fmt"
	"path/filepath"

	"calotype/kit/boot"
	"calotype/kit/fault"
	"calotype/services/image/app/queue"
	"calotype/services/image/internal/manager"
	"calotype/services/image/internal/postgres"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/webhook"
)

// Config is what the image manager can be told. A worker reads the same keys under queue.
type Config struct {
	boot.Config `koanf:",squash"`
	Image       ImageConfig  `koanf:"image"`
	Queue       queue.Config `koanf:"queue"`
}

// ImageConfig is the service's own part.
type ImageConfig struct {
	Store          string          `koanf:"store" doc:"what keeps images and jobs: sqlite, a file for one machine; postgres, a database that several managers share"`
	Database       string          `koanf:"database" doc:"the SQLite file that keeps images and jobs"`
	Postgres       postgres.Config `koanf:"postgres"`
	Webhooks       WebhooksConfig  `koanf:"webhooks"`
	Presets        recipe.Presets  `koanf:"presets" live:"true" doc:"recipes with names; what is given is added to the built-in ones, under the same name in their place"`
	manager.Config `koanf:",squash"`
}

// WebhooksConfig says how webhooks are signed and sent.
type WebhooksConfig struct {
	webhook.Config        `koanf:",squash"`
	manager.WebhookConfig `koanf:",squash"`
}

// Validate finds every fault at once.
func (c WebhooksConfig) Validate() []fault.Field {
	return append(c.Config.Validate(), c.WebhookConfig.Validate()...)
}

// DefaultConfig keeps everything in a folder below the working directory.
func DefaultConfig() Config {
	return Config{
		Config: boot.DefaultConfig(),
		Image: ImageConfig{
			Store:    SQLite,
			Postgres: postgres.DefaultConfig(),
			Database: filepath.Join("data", "image.db"),
			Webhooks: WebhooksConfig{WebhookConfig: manager.DefaultWebhookConfig()},
			Presets:  recipe.DefaultPresets(),
			Config:   manager.DefaultConfig(),
		},
		Queue: queue.DefaultConfig(),
	}
}

// Validate finds every fault at once.
func (c ImageConfig) Validate() []fault.Field {
	faults := c.Config.Validate()
	switch {
	case c.Store != SQLite && c.Store != Postgres:
		faults = append(faults, fault.Field{Path: "store", Message: fmt.Sprintf("%q is neither %q nor %q", c.Store, SQLite, Postgres)})
	case c.Store == SQLite && c.Database == "":
		faults = append(faults, fault.Field{Path: "database", Message: "is empty"})
	case c.Store == Postgres && c.Postgres.URL == "":
		faults = append(faults, fault.Field{Path: "postgres.url", Message: "is empty, though the store is postgres"})
	}
	return faults
}
