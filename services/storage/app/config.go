package app

import (
	"calotype/kit/boot"
	"calotype/services/storage/internal/fs"
	"calotype/services/storage/internal/rpc"
)

// Config is what the storage service can be told.
type Config struct {
	boot.Config `koanf:",squash"`
	Storage     StorageConfig `koanf:"storage"`
}

// StorageConfig is the service's own part.
type StorageConfig struct {
	Files  `koanf:",squash"`
	Limits `koanf:",squash"`
}

// Files says where blobs are kept.
type Files = fs.Config

// Limits bounds what callers can ask for.
type Limits = rpc.Config

// DefaultConfig keeps blobs in a folder below the working directory.
func DefaultConfig() Config {
	return Config{
		Config:  boot.DefaultConfig(),
		Storage: StorageConfig{Files: fs.DefaultConfig(), Limits: rpc.DefaultConfig()},
	}
}
