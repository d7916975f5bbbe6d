package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"calotype/cmd/calotype/internal/suite"
	"calotype/kit/boot"
	"calotype/kit/fault"
	"calotype/kit/live"
)

const liveLong = "A live document holds settings that running processes take on without a restart, as YAML or JSON. It is kept in Consul:\n" +
	"where that is, and the token, are registry.* and live.key, by a file (--config) or the environment:\n" +
	"CALOTYPE_REGISTRY__ADDRESSES, CALOTYPE_REGISTRY__TOKEN_FILE. `calotype settings` marks the keys that are live."

func newLive(e *env) *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "live", Short: "Check, read and replace the settings that running processes take on", Long: liveLong, Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.PersistentFlags().StringVar(&file, "config", os.Getenv(boot.EnvPrefix+"CONFIG"), "a YAML file of settings (CALOTYPE_CONFIG)")
	store := func() (*live.Store, error) {
		cfg := suite.DefaultConfig("data")
		if err := cfg.Load(file); err != nil {
			return nil, settingsError(err)
		}
		return cfg.LiveStore()
	}
	check := &cobra.Command{
		Use: "check FILE", Short: "Say what is wrong with a document, without a server; - reads standard input", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			_, err := checked(cmd, a[0])
			return err
		},
	}
	get := &cobra.Command{
		Use: "get", Short: "Print the document, and its version to standard error", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := store()
			if err != nil {
				return err
			}
			text, version, err := s.Get(cmd.Context())
			if err != nil {
				return err
			}
			if e.json {
				return json.NewEncoder(e.out).Encode(map[string]any{"version": version, "document": string(text)})
			}
			fmt.Fprintf(e.err, "version %d\n", version)
			_, err = e.out.Write(text)
			return err
		},
	}
	var seen uint64
	put := &cobra.Command{
		Use: "put FILE", Short: "Check a document and put it in the place of the one there is; - reads standard input", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			text, err := checked(cmd, a[0])
			if err != nil {
				return err
			}
			s, err := store()
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("if-version") {
				if _, seen, err = s.Get(cmd.Context()); err != nil {
					return err
				}
			}
			version, err := s.Put(cmd.Context(), text, seen)
			if err != nil {
				return err
			}
			if e.json {
				return json.NewEncoder(e.out).Encode(map[string]any{"version": version})
			}
			fmt.Fprintf(e.out, "version %d is in place\n", version)
			return nil
		},
	}
	put.Flags().Uint64Var(&seen, "if-version", 0, "replace only this version, as `calotype live get` told it; 0 is none at all (default: the one there is)")
	cmd.AddCommand(check, get, put)
	return cmd
}

// checked reads a document, and fails with everything that is wrong with it.
func checked(cmd *cobra.Command, name string) ([]byte, error) {
	var text []byte
	var err error
	if name == "-" {
		name = "standard input"
		text, err = io.ReadAll(cmd.InOrStdin())
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, err
	}
	err = suite.CheckLive(name, text)
	if f := fault.As(err); f != nil {
		told := "the document is wrong:"
		for _, field := range f.Fields {
			told += "\n  " + field.Path + ": " + field.Message
		}
		return nil, errors.New(told)
	}
	return text, err
}
