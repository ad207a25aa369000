#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Run once by the PostgreSQL image on an empty volume: one database per book of record, a role that
# owns its tables (<name>_owner) and one that its service uses (<name>); nobody else may connect.
set -euo pipefail

for name in consent vault keystore disclosure claims gateway; do
    for role in "${name}_owner" "$name"; do
        password=$(awk -v role="$role" '$1 == role { print $2 }' /run/secrets/databases.passwords)
        [ -n "$password" ] || { echo "databases.passwords has no line for $role" >&2; exit 1; }
        # From standard input: an argument could be seen in the list of processes.
        psql -q -v ON_ERROR_STOP=1 -d postgres <<SQL
\set role $role
\set password '$password'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
SQL
    done
    psql -q -v ON_ERROR_STOP=1 -v name="$name" -v owner="${name}_owner" -d postgres <<'SQL'
CREATE DATABASE :"name" OWNER :"owner";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"name" TO :"name";
\connect :"name"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"name";
SQL
done
psql -q -v ON_ERROR_STOP=1 -d postgres -c 'REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC'
