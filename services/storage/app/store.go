package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/boot"
	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/fs"
	"calotype/services/storage/internal/s3"
)

// store is what the service keeps open as long as it runs.
type store interface {
	blob.Store
	Close() error
}

func openStore(cfg StorageConfig, host *boot.Host) (store, error) {
	if cfg.Kind == kindS3 {
		return openS3(cfg.S3, host)
	}
	return openFiles(cfg.Files, host)
}

func openFiles(cfg fs.Config, host *boot.Host) (store, error) {
	files, err := fs.Open(cfg, host.Log)
	if err != nil {
		return nil, err
	}
	host.Metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "calotype_storage_free_bytes", Help: "Bytes that are free on the disk that holds the blobs.",
	}, func() float64 {
		free, err := files.Free()
		if err != nil {
			return -1 // a gauge cannot fail; no disk has this much
		}
		return float64(free)
	}))
	host.Health.Add("storage", files.Writable)
	return files, nil
}

// openS3 lets a node that cannot use the object store stay unready, and one whose object store is away go on: all nodes share it, and a node
// that says so at once serves callers better than none.
func openS3(cfg s3.Config, host *boot.Host) (store, error) {
	objects, err := s3.Open(cfg, host.Log, s3.NewMetrics(host.Metrics))
	if err != nil {
		return nil, err
	}
	host.Health.Add("storage", objects.Usable)
	host.Health.Note("object store", objects.Reachable)
	return objects, nil
}
