// Package fs keeps blobs as plain files, on one machine's disk or a folder that several nodes share: blobs/ab/abcd... under a
// root folder, one file a blob, in 256 folders by the first byte of the digest. A file gets its real name only when its bytes
// are verified and on the disk. It knows no wire format.
package fs

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

const shards = 256

// Config says where blobs are kept.
type Config struct {
	Root    string      `koanf:"root" doc:"the folder that holds the blobs; it is made when it is not there"`
	MinFree config.Size `koanf:"min_free" doc:"how much of the disk blobs leave free, for whatever else lives on it"`
}

// DefaultConfig is a folder below the working directory.
func DefaultConfig() Config {
	return Config{Root: "data/storage", MinFree: 128 * config.MiB}
}

// Validate reports what is wrong with the configuration.
func (c Config) Validate() []fault.Field {
	var faults []fault.Field
	if c.Root == "" {
		faults = append(faults, fault.Field{Path: "root", Message: "names no folder"})
	}
	if c.MinFree < 0 {
		faults = append(faults, fault.Field{Path: "min_free", Message: fmt.Sprintf("%v is negative", c.MinFree)})
	}
	return faults
}

// Store is a blob.Store on plain files.
type Store struct {
	blobs   string
	minFree int64
	temps   *workspace
	log     *slog.Logger
	buffers sync.Pool
	shards  [shards]shard

	// For tests: called after each step of a Put, where a crash would leave its own kind of traces, and of what others can come in
	// between, or must not.
	step func(name string)
}

var _ blob.Store = (*Store)(nil)

// Open makes the folders that are missing and sweeps the temporaries of processes that died. Several Stores, in one process or
// many, may share a root. Close releases it.
func Open(cfg Config, log *slog.Logger) (*Store, error) {
	s := &Store{
		blobs:   filepath.Join(cfg.Root, "blobs"),
		minFree: int64(cfg.MinFree),
		log:     log,
		buffers: sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }},
		step:    func(string) {},
	}
	for i := range s.shards {
		s.shards[i].turn = make(chan struct{}, 1)
	}
	tmp := filepath.Join(cfg.Root, "tmp")
	if err := s.makeFolders(cfg.Root, tmp); err != nil {
		return nil, fmt.Errorf("preparing the storage folder %s: %w", cfg.Root, err)
	}
	temps, swept, err := openWorkspace(tmp)
	if err != nil {
		return nil, fmt.Errorf("preparing the folder for temporaries %s: %w", tmp, err)
	}
	s.temps = temps
	if swept > 0 {
		log.Info("swept temporaries of processes that died", "count", swept, "folder", tmp)
	}
	return s, nil
}

// Close releases the temporaries' folder. Puts that still run fail.
func (s *Store) Close() error { return s.temps.close() }

func (s *Store) makeFolders(root, tmp string) error {
	for _, folder := range []string{filepath.Clean(root), s.blobs, tmp} {
		if err := makeFolder(folder); err != nil {
			return err
		}
	}
	return syncFolder(root)
}

// makeFolder is os.MkdirAll, but each folder that it makes is durable.
func makeFolder(name string) error {
	parent := filepath.Dir(name)
	if _, err := os.Stat(parent); errors.Is(err, os.ErrNotExist) && parent != name {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(name, 0o750); err != nil {
		if fi, bad := os.Stat(name); bad == nil && fi.IsDir() {
			return nil
		}
		return err
	}
	return syncFolder(parent)
}

func syncFolder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
