package command

import (
	"github.com/alecthomas/kong"

	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// Common is what every program has besides its own commands, to embed in its
// grammar behind them.
type Common struct {
	Advice     adviceCmd     `cmd:"" group:"other" help:"Say what an outcome code means and what to do about it."`
	Help       helpCmd       `cmd:"" group:"other" help:"Show the help of a command, or of a topic: connection."`
	Completion completionCmd `cmd:"" group:"other" help:"Print the script that completes commands, flags and values in a shell."`
	Version    versionCmd    `cmd:"" group:"other" help:"Print the version."`

	Color     string `default:"auto" enum:"auto,always,never" placeholder:"WHEN" help:"auto (on a terminal, unless NO_COLOR is set), always or never."`
	ShowBuild build  `name:"version" help:"Print the version and exit."`
}

// AfterApply applies --color.
func (c *Common) AfterApply(con *display.Console) error {
	con.SetColour(c.Color)
	return nil
}

type versionCmd struct {
	config.VersionCommand
}

// Run prints the version.
func (c *versionCmd) Run(con *display.Console, name programName) error {
	return c.Print(con.Out, string(name))
}

// build is the flag --version.
type build bool

// BeforeReset prints the version instead of whatever else was asked for.
func (build) BeforeReset(app *kong.Kong, con *display.Console, name programName) error {
	_, err := con.Out.Write([]byte(telemetry.Build().Describe(string(name)) + "\n"))
	app.Exit(0)
	return err
}

// programName is bound for commands.
type programName string
