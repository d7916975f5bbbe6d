package app

import (
	"calotype/kit/boot"
	"calotype/kit/fault"
	"calotype/services/image/app/queue"
	"calotype/services/image/internal/isolation"
	"calotype/services/image/internal/originals"
	"calotype/services/image/internal/pipeline"
	"calotype/services/image/internal/worker"
)

// Config is what a processing node can be told. The manager reads the same keys under queue.
type Config struct {
	boot.Config `koanf:",squash"`
	Worker      WorkerConfig `koanf:"worker"`
	Queue       queue.Config `koanf:"queue"`
}

// WorkerConfig is the service's own part.
type WorkerConfig struct {
	worker.Config `koanf:",squash"`
	Originals     originals.Config   `koanf:"originals"`
	Isolation     isolation.Config   `koanf:",squash"`
	Mezzanine     pipeline.Mezzanine `koanf:"mezzanine" doc:"the longest side, in pixels, of a copy that a node makes and keeps of an original half as large again, to make variants of that are at most half the copy's size; from 256; 0 makes none"`
	Limits        pipeline.Limits    `koanf:"limits" live:"true"`
	Formats       pipeline.Formats   `koanf:"formats" doc:"formats of originals that are taken beside jpeg, png, webp, gif, avif, heic, tiff and bmp, though their decoders are not made for strangers' files: jxl, svg, pdf"`
}

// Validate refuses copies that nothing keeps: each would be made for one call.
func (c WorkerConfig) Validate() []fault.Field {
	if c.Mezzanine > 0 && c.Originals.Memory == 0 && c.Originals.Folder == "" {
		return []fault.Field{{Path: "mezzanine", Message: "copies are kept where originals are, and originals.memory is 0 and originals.folder empty"}}
	}
	return nil
}

// DefaultConfig works with every CPU, and takes its tasks from a file below the working directory.
func DefaultConfig() Config {
	return Config{
		Config: boot.DefaultConfig(),
		Worker: WorkerConfig{Config: worker.DefaultConfig(), Isolation: isolation.DefaultConfig(), Originals: originals.DefaultConfig(), Limits: pipeline.DefaultLimits()},
		Queue:  queue.DefaultConfig(),
	}
}
