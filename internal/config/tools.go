package config

// Provision is the configuration of belfry provision.
type Provision struct {
	AWS   AWS  `embed:""`
	Plan  bool `help:"Say what would be done, and do nothing."`
	Force bool `help:"Change what exists and differs, too."`
}

// Validate reports everything that is wrong, as [Faults].
func (c Provision) Validate() error {
	f := checkAll(c.AWS)
	if c.Plan && c.Force {
		f = append(f, Fault{Flag: "--plan", Detail: "and --force: give one of them"})
	}
	return f.Err()
}

// Doctor is the configuration of belfry doctor: of the service that it looks
// after. What is wrong with the credentials of FCM is for its checks to say.
type Doctor struct {
	Store Store `embed:""`
	FCM   FCM   `embed:""`
}

// Validate reports what is so wrong that nothing can be checked, as [Faults].
func (c Doctor) Validate() error {
	f := checkAll(c.Store)
	webURL(&f, "fcm-endpoint", c.FCM.Endpoint)
	c.FCM.checkPace(&f)
	return f.Err()
}

// ValidateStore reports what is wrong with where state lives.
func (c Doctor) ValidateStore() error { return checkAll(c.Store).Err() }
