package app

import (
	"fmt"

	"calotype/kit/boot"
	"calotype/kit/fault"
	"calotype/services/storage/internal/fs"
	"calotype/services/storage/internal/rpc"
	"calotype/services/storage/internal/s3"
)

// Config is what the storage service can be told.
type Config struct {
	boot.Config `koanf:",squash"`
	Storage     StorageConfig `koanf:"storage"`
}

// The kinds of places that blobs are kept in.
const (
	kindFiles = "fs"
	kindS3    = "s3"
)

// StorageConfig is the service's own part.
type StorageConfig struct {
	Kind   string `koanf:"kind" doc:"where blobs are kept: fs, plain files, or s3, an object store"`
	Files  `koanf:",squash"`
	S3     S3 `koanf:"s3"`
	Limits `koanf:",squash"`
}

// Files says where blobs are kept as plain files.
type Files = fs.Config

// S3 says at which object store blobs are kept.
type S3 = s3.Config

// Limits bounds what callers can ask for.
type Limits = rpc.Config

// DefaultConfig keeps blobs in a folder below the working directory.
func DefaultConfig() Config {
	return Config{
		Config:  boot.DefaultConfig(),
		Storage: StorageConfig{Kind: kindFiles, Files: fs.DefaultConfig(), S3: s3.DefaultConfig(), Limits: rpc.DefaultConfig()},
	}
}

// Validate finds what is wrong with the whole, beside the faults of its parts.
func (c StorageConfig) Validate() (faults []fault.Field) {
	wrong := func(path, format string, args ...any) {
		faults = append(faults, fault.Field{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	switch c.Kind {
	case kindFiles:
		return nil
	case kindS3:
	default:
		wrong("kind", "%q is neither %s nor %s", c.Kind, kindFiles, kindS3)
		return faults
	}
	if len(c.S3.Endpoints) == 0 {
		wrong("s3.endpoints", "names no endpoint, and blobs are kept at one (storage.kind is s3)")
	}
	if c.S3.AccessKey == "" {
		wrong("s3.access_key", "is empty, and blobs are kept at an object store (storage.kind is s3)")
	}
	if c.MaxBlob > c.S3.MaxBlob() {
		wrong("s3.part_size", "blobs of max_blob %v do not fit into the 10000 parts that S3 allows; %v do", c.MaxBlob, c.S3.MaxBlob())
	}
	return faults
}
