variable "prefix" {
  description = "What the names of all resources begin with; BELFRY_AWS_PREFIX of the services."
  type        = string
  default     = "belfry"
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
}

variable "on_call" {
  description = "E-mail address that alarms go to; it must be confirmed once."
  type        = string
}

variable "dispatcher_service" {
  description = "The ECS service of your dispatchers, as service/CLUSTER/SERVICE, to be scaled by what waits; null for none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = { service = "belfry" }
}
