"""Secrets in command lines that somebody else has typed."""

import time

import pytest

from changewindow.systems.command_lines import LONGEST, shown_command, without_secrets

HIDDEN = "hunter2-9f3"


@pytest.mark.parametrize(
    "line",
    [
        "mysqldump --password=hunter2-9f3 orders",
        "tool --password hunter2-9f3 --user dora",
        "tool --db-password 'hunter2-9f3 of us' x",
        "tool '--password=of us hunter2-9f3 it' x",
        'tool --token="hunter2-9f3"',
        "env PGPASSWORD=hunter2-9f3 psql -h db",
        "AWS_SECRET_ACCESS_KEY=hunter2-9f3 aws s3 ls",
        "/usr/bin/mysql -u root -phunter2-9f3 orders",
        "bash -c 'mysql -uroot -phunter2-9f3 x'",
        "sshpass -p hunter2-9f3 ssh web-3",
        "docker login -u ci -p hunter2-9f3 registry",
        "redis-cli -h cache -a hunter2-9f3 FLUSHALL",
        "curl -u dora:hunter2-9f3 https://api",
        "curl --user dora:hunter2-9f3 https://api",
        "curl -H 'Authorization: Bearer hunter2-9f3' https://api",
        "curl -H Authorization:\\ Bearer\\ hunter2-9f3 https://api",
        "curl -H 'X-Api-Key: hunter2-9f3' https://api",
        "git clone https://dora:hunter2-9f3@git.example.com/x",
        "psql postgresql://app:hunter2-9f3@db/orders",
        "sh -c 'echo dora:hunter2-9f3 | chpasswd'",
        "htpasswd -bc /etc/nginx/users dora hunter2-9f3",
        "openssl rsa -passin pass:hunter2-9f3 -in key",
        "vault login -token-only token=hunter2-9f3",
        """curl -d '{"user": "dora", "password": "hunter2-9f3"}' https://api""",
        "usermod -p hunter2-9f3 dora",
        "tool eyJhbGciOiJIUzI1NiJ9.hunter2-9f3.abc",
        "tool ghp_hunter29f3hunter29f3hunter29f3aaaa",
        "kubectl create secret generic db --from-literal=key=hunter2-9f3",
        "vault kv put -mount=kv shop/db user=app value=hunter2-9f3",
        "aws configure set aws_secret_access_key hunter2-9f3",
        "rabbitmqctl change_password app hunter2-9f3",
        "mysqladmin -u root password hunter2-9f3",
        "gh secret set DEPLOY --body hunter2-9f3",
        """psql -c "ALTER ROLE app PASSWORD 'hunter2-9f3'" """,
        """mysql -e "CREATE USER a IDENTIFIED WITH caching BY 'hunter2-9f3'" """,
        "passwd --stdin dora <<< hunter2-9f3",
        "sudo -S reboot <<<'hunter2-9f3 of us'",
        "sh -c 'echo hunter2-9f3 | sudo -S reboot'",
        "sh -c 'printf hunter2-9f3 | docker login -u ci --password-stdin'",
        "mongosh -u root -p hunter2-9f3",
        "az login -u ci -p hunter2-9f3",
        "lftp -u dora,hunter2-9f3 ftp.example.com",
        "http -a dora:hunter2-9f3 https://api",
        "redis-cli -u redis://:hunter2-9f3@cache",
        "psql postgres://app:hunter2@9f3@db/orders",
        "curl https://hooks.slack.com/services/T0AB12/B0AB12/hunter29f3hunter29f3",
        "tool sk_live_hunter29f3hunter29f3",
        "tool AKIA9F3ABCDEFGHIJKLM",
        "set the password to hunter2-9f3",
        "curl -sSu dora:hunter2-9f3 https://api",
        "curl -XPUT 'https://api/?a=1&b=2' -ku dora:hunter2-9f3",
        "curl -U a:hunter2-9f3 -u b:hunter2-9f3 -b session=hunter2-9f3 https://api",
        "curl -E cert.pem:hunter2-9f3 https://api",
        'curl -d "{\\"password\\":\\"hunter2-9f3\\"}" https://api',
        "curl 'https://api/?sv=1&sig=hunter2-9f3'",
        "git clone https://hunter2-9f3@git.example.com/x",
        "kubectl create secret generic db --from-literal='key=hunter2-9f3'",
        """kubectl -n shop patch secret db -p '{"stringData":{"key":"hunter2-9f3"}}'""",
        "echo hunter2-9f3 > /etc/orders/db_password",
        "printf %s hunter2-9f3 >> /run/secrets/db",
        "echo hunter2-9f3 | gh auth login --with-token",
        "gh auth login --with-token <<< hunter2-9f3",
        "gh secret set DEPLOY --body=hunter2-9f3",
        "doppler secrets set DEPLOY hunter2-9f3",
        "az keyvault secret set --name x --value hunter2-9f3",
        "aws ssm put-parameter --name x --type SecureString --value hunter2-9f3",
        "gcloud secrets versions add x --data-file=<(echo hunter2-9f3)",
        "export GITHUB_TOKEN=$(echo hunter2-9f3)",
        "export GITHUB_TOKEN=`echo hunter2-9f3`",
        'export DB_PASSWORD=of"hunter2-9f3"',
        "export AIRFLOW__CORE__FERNET_KEY=hunter2-9f3",
        "export BASIC_AUTH=dora:hunter2-9f3",
        "env PW=hunter2-9f3 tool",
        "set -gx API_TOKEN hunter2-9f3",
        "npm config set //registry.example.com/:_authToken hunter2-9f3",
        "git config http.password hunter2-9f3",
        "crudini --set app.ini db password hunter2-9f3",
        "airflow variables set db_password hunter2-9f3",
        "airflow users create -u dora -p hunter2-9f3",
        "nmcli dev wifi connect cafe password hunter2-9f3",
        "consul kv put orders/password hunter2-9f3",
        "vault login hunter2-9f3",
        "vault operator unseal hunter2-9f3",
        "redis-cli AUTH hunter2-9f3",
        "redis-cli CONFIG SET requirepass hunter2-9f3",
        "sqlcmd -S db -U sa -P hunter2-9f3",
        "sqlplus app/hunter2-9f3@orders",
        "zip -P hunter2-9f3 x.zip x",
        "ipmitool -H bmc -U admin -P hunter2-9f3 power off",
        "snmpset -v3 -A hunter2-9f3 -X hunter2-9f3 router",
        "openssl enc -aes-256-cbc -k hunter2-9f3 -in x",
        "htpasswd -nb dora hunter2-9f3",
        "sed -i 's/password=.*/password=hunter2-9f3/' app.conf",
        """mysql -e "SET PASSWORD FOR 'a'@'%' = 'hunter2-9f3'" """,
        """mysql -e "SET PASSWORD = PASSWORD('hunter2-9f3')" """,
        """mysql -e "ALTER USER a IDENTIFIED WITH native AS 'hunter2-9f3'" """,
    ],
)
def test_what_stands_where_secrets_stand_is_hidden(line: str) -> None:
    """The rest stays readable."""
    shown = without_secrets(line)
    assert "9f3" not in shown.lower()
    assert "***" in shown
    assert shown.split()[0].split("=")[0] == line.split(maxsplit=1)[0].split("=", maxsplit=1)[0]


@pytest.mark.parametrize(
    "line",
    [
        "/usr/bin/vi /etc/passwd",
        "/usr/bin/passwd dora",
        "systemctl restart orders.service",
        "apt-get install -y nginx=1.24.0-1",
        "kubectl -n shop scale deploy/orders --replicas=3",
        "tar -cpf /backup/etc.tar /etc",
        "cp -p /etc/hosts /etc/hosts.bak",
        "ssh -p 2222 web-3",
        "curl http://127.0.0.1:8080/health",
        "kubectl -n shop get secret db",
        "vault kv get kv/shop/db",
        "echo ok | tee /tmp/done",
        "git clone git@git.example.com:shop/orders",
        "http https://api.example.com/orders",
        "curl -XPUT -H 'Accept: text/plain' 'https://api/?a=1&b=2' -o out",
        'kubectl -n shop patch deploy orders -p \'{"spec":{"replicas":3}}\'',
        "git config user.name Dora",
        "kubectl -n shop set image deploy/token-service app=registry/app:1.4.3",
        "kubectl -n shop set image deploy/auth auth=registry/auth:1.4.3",
        "kubectl config set-context --current --namespace=shop",
        "apt-get install password-store",
        "echo 10.0.0.1 orders.example.com >> /etc/hosts",
        "zip -r backup.zip /etc",
    ],
)
def test_an_ordinary_line_stays_as_it_is(line: str) -> None:
    """Whoever is woken has to read it."""
    assert without_secrets(line) == line


def test_arguments_that_are_known_one_by_one_are_hidden_whole() -> None:
    """Whatever signs are in them."""
    assert shown_command(["tool", "--password=it's of us", "--token", "a b' c", "x y"]) == (
        "tool --password=*** --token *** 'x y'"
    )


@pytest.mark.parametrize(
    "line",
    [
        *("token=" * 20_000, "-" * 100_000, "\\" * 100_000, "mysql " * 20_000, "://" * 30_000, "echo " * 20_000),
        *("curl -s " * 9_000, "kubectl set " * 9_000, "vault put x " * 9_000, "curl '\"" * 9_000, "password " * 9_000),
    ],
)
def test_no_line_takes_long(line: str) -> None:
    """Whatever an attacker types."""
    began = time.process_time()
    assert len(without_secrets(line)) <= LONGEST * 2
    assert time.process_time() - began < 1
