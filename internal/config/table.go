package config

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// setting is one row of the table.
type setting struct {
	env, flag, fallback, help string
	users                     []string
}

// replayerSettings are those of every command of dlq-replayer.
type replayerSettings struct {
	Replayer
	Retention

	Access LettersAccess `embed:""`
}

// WriteTable writes every setting of the services as a Markdown table: variable,
// flag, default, who reads it and what it means, in the order of the structs.
// The documentation is checked against it.
func WriteTable(w io.Writer) error {
	services := []struct {
		name string
		cfg  any
	}{
		{"ingest", &Ingest{}},
		{"dispatcher", &Dispatcher{}},
		{"dlq-replayer", &replayerSettings{}},
		{"up", &Up{}},
		{"sim", &Sim{}},
	}
	var rows []setting
	for _, s := range services {
		found, err := settings(s.cfg)
		if err != nil {
			return fmt.Errorf("settings of %s: %w", s.name, err)
		}
		for _, row := range found {
			at := slices.IndexFunc(rows, func(r setting) bool { return r.env == row.env })
			if at < 0 {
				rows, at = append(rows, row), len(rows)
			}
			rows[at].users = append(rows[at].users, s.name)
		}
	}
	var b strings.Builder
	b.WriteString("| variable | flag | default | used by | meaning |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		users := strings.Join(r.users, ", ")
		if len(r.users) == len(services) {
			users = "all"
		}
		fmt.Fprintf(&b, "| `%s` | `--%s` | %s | %s | %s |\n", r.env, r.flag, r.fallback, users, strings.ReplaceAll(r.help, "|", `\|`))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table of settings: %w", err)
	}
	return nil
}

func settings(cfg any) ([]setting, error) {
	p, err := NewParser(cfg, func(string) (string, bool) { return "", false }, io.Discard)
	if err != nil {
		return nil, err
	}
	var rows []setting
	err = kong.Visit(p.kong.Model.Node, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && len(flag.Envs) > 0 {
			row := setting{env: flag.Envs[0], flag: flag.Name, help: flag.Help}
			if isSecret(flag) {
				row.help += " `" + row.env + fileSuffix + "` names a file that holds it instead."
			}
			if flag.HasDefault {
				row.fallback = "`" + flag.Default + "`"
			}
			rows = append(rows, row)
		}
		return next(nil)
	})
	return rows, err
}
