terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Messages of 1 MiB in SQS need a provider of version 6.
      version = ">= 6.25.0, < 7.0.0"
    }
  }
}
