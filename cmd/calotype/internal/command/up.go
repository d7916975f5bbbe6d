package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"calotype/cmd/calotype/internal/suite"
	"calotype/kit/boot"
	"calotype/kit/config"
	"calotype/kit/fault"
)

func newUp(e *env) *cobra.Command {
	var listen, data, file string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the whole suite in this process, on one data folder",
		Long: "Runs every service in this process: nothing else is needed, and everything is kept below one folder.\n" +
			"Ctrl-C drains: running jobs are finished. What a kill leaves behind is taken up at the next start.\n\n" +
			"`calotype settings` lists what can be set by a file (--config) or the environment.",
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			began := time.Now()
			cfg := suite.DefaultConfig(data)
			if err := cfg.Load(file); err != nil {
				return settingsError(err)
			}
			if cmd.Flags().Changed("listen") {
				cfg.HTTP.Listen = listen
			}
			return e.up(cmd.Context(), cfg, data, began)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8080", "where REST and the console are served")
	f.StringVar(&data, "data", "data", "folder that keeps blobs, images, jobs and the queue")
	f.StringVar(&file, "config", os.Getenv(boot.EnvPrefix+"CONFIG"), "a YAML file of settings (CALOTYPE_CONFIG)")
	return cmd
}

func (e *env) up(ctx context.Context, cfg suite.Config, data string, began time.Time) (err error) {
	s, err := suite.New(cfg)
	if fault.ReasonOf(err) == "QUEUE_IN_USE" {
		return fmt.Errorf("the folder %s belongs to another calotype that is running; --data names another folder: %w", data, err)
	}
	if err != nil {
		return settingsError(err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Run(ctx, func() {
		fmt.Fprintf(e.out, "Calotype %s is up after %d ms; data in %s\n\n", version(), time.Since(began).Milliseconds(), data)
		for _, a := range s.Addresses() {
			fmt.Fprintf(e.out, "  %-13s %s\n", a.What, a.URL)
		}
		if hooks := cfg.Image.Webhooks; hooks.Secrets == "" && hooks.KeepSecret != "" {
			fmt.Fprintf(e.out, "  %-13s signed with the secret in %s\n", "Webhooks", hooks.KeepSecret)
		}
		fmt.Fprintf(e.out, "\nSend a photograph:  curl -F file=@photo.jpg '%s?preset=web'\nCtrl-C stops, after running jobs are finished.\n\n", s.Addresses()[1].URL)
	})
}

// settingsError tells wrong settings as wrong usage.
func settingsError(err error) error {
	if fault.ReasonOf(err) == "BAD_CONFIG" {
		f := fault.As(err)
		text := f.Message
		for _, field := range f.Fields {
			text += "\n  " + field.Path + ": " + field.Message
		}
		return usageError{errors.New(text)}
	}
	return err
}

func newSettings(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "settings",
		Short: "List every setting with its key, its variable and its default, as a Markdown table",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			cfg := suite.DefaultConfig("data")
			return config.Table(e.out, config.Keys(&cfg, boot.EnvPrefix))
		},
	}
}
