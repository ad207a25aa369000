# SPDX-License-Identifier: Apache-2.0
"""The environment that alembic loads: the caller's connection, one transaction per revision."""

from alembic import context

from services.chassis.migration import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
role = context.config.attributes["runtime_role"]
connection = context.config.attributes["connection"]
connection.exec_driver_sql(f'GRANT SELECT ON {VERSION_TABLE} TO "{role}"')
connection.commit()
