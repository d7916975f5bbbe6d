package app

import (
	"path/filepath"

	"calotype/kit/boot"
	"calotype/kit/fault"
	"calotype/services/image/app/queue"
	"calotype/services/image/internal/manager"
	"calotype/services/image/internal/recipe"
)

// Config is what the image manager can be told. A worker reads the same keys under queue.
type Config struct {
	boot.Config `koanf:",squash"`
	Image       ImageConfig  `koanf:"image"`
	Queue       queue.Config `koanf:"queue"`
}

// ImageConfig is the service's own part.
type ImageConfig struct {
	Database       string         `koanf:"database" doc:"the SQLite file that keeps images and jobs"`
	Presets        recipe.Presets `koanf:"presets" doc:"recipes with names; what is given is added to the built-in ones, under the same name in their place"`
	manager.Config `koanf:",squash"`
}

// DefaultConfig keeps everything in a folder below the working directory.
func DefaultConfig() Config {
	return Config{
		Config: boot.DefaultConfig(),
		Image: ImageConfig{
			Database: filepath.Join("data", "image.db"),
			Presets:  recipe.DefaultPresets(),
			Config:   manager.DefaultConfig(),
		},
		Queue: queue.DefaultConfig(),
	}
}

// Validate finds every fault at once.
func (c ImageConfig) Validate() []fault.Field {
	faults := c.Config.Validate()
	if c.Database == "" {
		faults = append(faults, fault.Field{Path: "database", Message: "is empty"})
	}
	return faults
}
