#!/bin/sh
# Makes every secret that docker-compose.yml names, one file each, in deploy/secrets or in the folder that is given.
# Changes nothing where there are secrets already: keys that have encrypted something must not be lost.
set -eu

folder=${1:-$(dirname "$0")/secrets}

if [ -e "$folder/encryption_keys" ]; then
  echo "create-secrets: $folder has secrets already: nothing was changed" >&2
  exit 1
fi

# 256 bits each. Hexadecimal, because in a URL such a password needs no escapes.
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# Compose mounts a secret's file with the owner and mode that it has here, so the users of the containers read it as
# "others". The folder keeps everybody else of this machine out.
mkdir -p "$folder"
chmod 700 "$folder"
umask 222
write() {
  rm -f "$folder/$1"
  printf '%s\n' "$2" > "$folder/$1"
}

database_password=$(random)
queue_password=$(random)

write postgres_superuser_password "$(random)"
write postgres_password "$database_password"
write database_url "postgres://sluice:$database_password@postgres:5432/sluice"

# Who does not log in may ask for a PING, which is what the health check does. What BullMQ does not need stays shut.
write valkey_users "user default on nopass -@all +ping
user sluice on >$queue_password ~* &* +@all -@admin -@dangerous +info +config|get +client|list"
write queue_url "redis://sluice:$queue_password@valkey:6379/0"

# The key of the api, for programs and for people.
write bootstrap_key "$(random)"

# <id>:<base64 of 32 bytes>, see SLUICE_ENCRYPTION_KEYS. Last: where it is, all are.
write encryption_keys "k$(random | cut -c 1-8):$(head -c 32 /dev/urandom | base64)"

echo "The secrets are in $folder. Keep a copy elsewhere: what encryption_keys encrypts cannot be read without it."
