BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
CREATE TABLE approvals (
	id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	person VARCHAR(200) NOT NULL, 
	role VARCHAR(50) NOT NULL, 
	is_yes BOOLEAN NOT NULL, 
	at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(number) REFERENCES changes (number)
);
INSERT INTO "approvals" VALUES(1,1001,'3668a61d6013da2c1f0bc13220330f8925354413eee2887985df755a452fe351','bob','peer',1,'2031-03-18 14:10:21.000369','2031-03-18 15:10:21.000369');
INSERT INTO "approvals" VALUES(2,1002,'1f6388a92968a77d8be23ac0ba2098ab28951ee97b3dd9f14e90ce5eae57b46d','bob','peer',1,'2031-03-18 14:13:20.006150','2031-03-18 15:13:20.006150');
INSERT INTO "approvals" VALUES(3,1003,'49c3980628fa03b2798a1d64d56127af15e2c2aa5e5a6e209cb71826cb1c3803','bob','peer',1,'2031-03-18 14:15:35.008733','2031-03-18 15:15:35.008733');
INSERT INTO "approvals" VALUES(4,1004,'694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46','bob','peer',0,'2031-03-18 14:16:17.009471','2031-03-18 15:16:17.009471');
CREATE TABLE changes (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	summary TEXT NOT NULL, 
	requester VARCHAR(200) NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	reason TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	run VARCHAR(250), 
	opens DATETIME NOT NULL, 
	closes DATETIME NOT NULL, 
	submitted_at DATETIME NOT NULL, 
	closed_at DATETIME
, owner VARCHAR(200) DEFAULT '' NOT NULL, reviewer VARCHAR(200) DEFAULT '' NOT NULL, origin VARCHAR(500), aborted TEXT, token INTEGER);
INSERT INTO "changes" VALUES(1001,'Switch the banner on for the spring sale.','alice','completed','alice keeps it, though too little is known','3668a61d6013da2c1f0bc13220330f8925354413eee2887985df755a452fe351','scheduled__2031-03-18T14:00:00+00:00','2031-03-18 14:00:00.000000','2031-03-18 15:00:00.000000','2031-03-18 14:10:07.000123','2031-03-18 14:13:06.005904','alice','bob','tickets:banner.yaml',NULL,1);
INSERT INTO "changes" VALUES(1002,'Switch the banner off.','alice','rollback_failed','undone, but not verified','1f6388a92968a77d8be23ac0ba2098ab28951ee97b3dd9f14e90ce5eae57b46d','rollback__2','2031-03-18 14:00:00.000000','2031-03-18 16:00:00.000000','2031-03-18 14:13:13.006027','2031-03-18 14:15:14.008364','alice','bob',NULL,NULL,3);
INSERT INTO "changes" VALUES(1003,'Switch the banner on.','alice','cancelled','aborted by carol: wrong banner','49c3980628fa03b2798a1d64d56127af15e2c2aa5e5a6e209cb71826cb1c3803','manual__4','2031-03-18 14:00:00.000000','2031-03-18 15:00:00.000000','2031-03-18 14:15:28.008610','2031-03-18 14:16:03.009225','alice','bob',NULL,NULL,4);
INSERT INTO "changes" VALUES(1004,'Switch the banner on.','alice','rejected','rejected by bob','694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46',NULL,'2031-03-18 14:00:00.000000','2031-03-18 15:00:00.000000','2031-03-18 14:16:10.009348','2031-03-18 14:16:17.009471','alice','bob',NULL,NULL,NULL);
INSERT INTO "changes" VALUES(1005,'Switch the banner on.','alice','cancelled','cancelled by alice: not needed','694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46',NULL,'2031-03-18 14:00:00.000000','2031-03-18 15:00:00.000000','2031-03-18 14:16:24.009594','2031-03-18 14:16:31.009717','alice','bob',NULL,NULL,NULL);
INSERT INTO "changes" VALUES(1006,'Switch the banner on.','alice','missed','no run of it started in its window','694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46',NULL,'2031-03-18 14:00:00.000000','2031-03-18 15:00:00.000000','2031-03-18 14:16:38.009840','2031-03-18 14:16:52.010086','alice','bob',NULL,NULL,NULL);
CREATE TABLE events (
	number INTEGER NOT NULL, 
	sequence INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	kind VARCHAR(50) NOT NULL, 
	actor VARCHAR(250) NOT NULL, 
	data TEXT NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (number, sequence), 
	FOREIGN KEY(number) REFERENCES changes (number)
);
INSERT INTO "events" VALUES(1001,1,'2031-03-18 14:10:07.000123','submitted','alice','{"digest":"0793fb5800b515f19c4c4b0f3befad0230ee066b28161988d8983829465326f8","summary":"Switch the banner on.","targets":["production/orders"]}','0000000000000000000000000000000000000000000000000000000000000000','be1f974967c99edc6e64dcc6cb28c6642c4dfa713bc6d7003a7126c596105781');
INSERT INTO "events" VALUES(1001,2,'2031-03-18 14:10:14.000246','revised','alice','{"before":"0793fb5800b515f19c4c4b0f3befad0230ee066b28161988d8983829465326f8","digest":"3668a61d6013da2c1f0bc13220330f8925354413eee2887985df755a452fe351","keeps_approvals":false,"summary":"Switch the banner on for the spring sale."}','be1f974967c99edc6e64dcc6cb28c6642c4dfa713bc6d7003a7126c596105781','84516681d2938ae493763f52634793b0728b0dfba6f1a0284f37d2f98d399512');
INSERT INTO "events" VALUES(1001,3,'2031-03-18 14:10:21.000369','decided','bob','{"digest":"3668a61d6013da2c1f0bc13220330f8925354413eee2887985df755a452fe351","level":"peer","yes":true}','84516681d2938ae493763f52634793b0728b0dfba6f1a0284f37d2f98d399512','1cc06e14b9c30eec51bca8d8b8b1df4f8dce6bad5e77065cdbd8781f54ef6e48');
INSERT INTO "events" VALUES(1001,4,'2031-03-18 14:10:21.000369','approved','bob','{"digest":"3668a61d6013da2c1f0bc13220330f8925354413eee2887985df755a452fe351"}','1cc06e14b9c30eec51bca8d8b8b1df4f8dce6bad5e77065cdbd8781f54ef6e48','bf65ccb530e41ad69ff626c6cc30bee9caab98ba1e12d1cda1f50c7a8513a017');
INSERT INTO "events" VALUES(1001,5,'2031-03-18 14:10:29.000615','checked','scheduled__2031-03-18T14:00:00+00:00/check_1','{"readings":[{"at":"2031-03-18T14:10:22.000492+00:00","condition":"orders answers","says":"good when equals 200","value":200,"verdict":"pass"}],"reason":"all good","run":"scheduled__2031-03-18T14:00:00+00:00","samples":1,"verdict":"pass"}','bf65ccb530e41ad69ff626c6cc30bee9caab98ba1e12d1cda1f50c7a8513a017','8f0fc19f01c0783bfcfd95f0d414d421b45d52728e9c348143fdf4fd397f9ce8');
INSERT INTO "events" VALUES(1001,6,'2031-03-18 14:10:36.000738','baseline','scheduled__2031-03-18T14:00:00+00:00/baseline','{"before":{"p99 latency":[0.11,0.12,0.108]},"run":"scheduled__2031-03-18T14:00:00+00:00"}','8f0fc19f01c0783bfcfd95f0d414d421b45d52728e9c348143fdf4fd397f9ce8','bf8099f8d5bac4eeed920476965c1c8fa8889545ba310ceb01b8efa2b615bb70');
INSERT INTO "events" VALUES(1001,7,'2031-03-18 14:10:43.000861','confirmed','scheduled__2031-03-18T14:00:00+00:00/confirm','{"by":"alice","items":["Rollback procedure documented and tested"],"run":"scheduled__2031-03-18T14:00:00+00:00"}','bf8099f8d5bac4eeed920476965c1c8fa8889545ba310ceb01b8efa2b615bb70','097a6ebea8deb844cdb79e5b8442f91fa58eda8f0fd3da8867c9eaa9bb34579c');
INSERT INTO "events" VALUES(1001,8,'2031-03-18 14:10:52.001230','checked','scheduled__2031-03-18T14:00:00+00:00/gate','{"readings":[{"at":"2031-03-18T14:10:44.000984+00:00","condition":"orders answers","says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:10:45.001107+00:00","condition":"p99 latency","says":"","value":0.12,"verdict":"pass"}],"reason":"all good","run":"scheduled__2031-03-18T14:00:00+00:00","samples":1,"verdict":"pass"}','097a6ebea8deb844cdb79e5b8442f91fa58eda8f0fd3da8867c9eaa9bb34579c','9718de7458d0d4c012f184762ef89274518d5d289593f6c2c5bd940cb9cdf29c');
INSERT INTO "events" VALUES(1001,9,'2031-03-18 14:10:59.001353','started','scheduled__2031-03-18T14:00:00+00:00','{"digest":"3668a61d6013da2c1f0bc13220330f8925354413eee2887985df755a452fe351","mode":"run","run":"scheduled__2031-03-18T14:00:00+00:00","targets":["production/orders"],"token":1,"values":{"version":"v1"}}','9718de7458d0d4c012f184762ef89274518d5d289593f6c2c5bd940cb9cdf29c','39d6bc21577162613ff1aa429f01dcc22033383063b7fc9756e7bcd74ea14279');
INSERT INTO "events" VALUES(1001,10,'2031-03-18 14:11:06.001476','remembered','scheduled__2031-03-18T14:00:00+00:00/apply_1','{"name":"Switch it on","remembered":{"größe":null,"was":"off"},"run":"scheduled__2031-03-18T14:00:00+00:00","step":1}','39d6bc21577162613ff1aa429f01dcc22033383063b7fc9756e7bcd74ea14279','a90c041c73622998b18b4a55c5477891d537af9b2e3ae5871e332636b5dd6c92');
INSERT INTO "events" VALUES(1001,11,'2031-03-18 14:11:13.001599','applied','scheduled__2031-03-18T14:00:00+00:00/apply_1','{"name":"Switch it on","run":"scheduled__2031-03-18T14:00:00+00:00","step":1}','a90c041c73622998b18b4a55c5477891d537af9b2e3ae5871e332636b5dd6c92','5d018f3dcf1513c8a009f03e6fe5a5d6c2c99399844b681db7bf77c74b9899eb');
INSERT INTO "events" VALUES(1001,12,'2031-03-18 14:11:27.001845','watching','scheduled__2031-03-18T14:00:00+00:00/watch','{"run":"scheduled__2031-03-18T14:00:00+00:00","seconds":60.0,"since":"2031-03-18T14:11:20.001722+00:00"}','5d018f3dcf1513c8a009f03e6fe5a5d6c2c99399844b681db7bf77c74b9899eb','fb310eed169d7f7b3da8ab837821154de5162401855ec178a247c4199a896303');
INSERT INTO "events" VALUES(1001,13,'2031-03-18 14:12:02.004674','read','scheduled__2031-03-18T14:00:00+00:00/watch','{"readings":[{"at":"2031-03-18T14:11:28.001968+00:00","condition":"Banner is on","sample":1,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:29.002091+00:00","condition":"Banner is on","sample":2,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:30.002214+00:00","condition":"Banner is on","sample":3,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:31.002337+00:00","condition":"Banner is on","sample":4,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:32.002460+00:00","cause":"unreachable","condition":"Banner is on","sample":5,"says":"no answer within 10 s","verdict":"error"},{"at":"2031-03-18T14:11:33.002583+00:00","condition":"Banner is on","sample":6,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:34.002706+00:00","condition":"Banner is on","sample":7,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:35.002829+00:00","condition":"Banner is on","sample":8,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:36.002952+00:00","condition":"Banner is on","sample":9,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:37.003075+00:00","cause":"unreachable","condition":"Banner is on","sample":10,"says":"no answer within 10 s","verdict":"error"},{"at":"2031-03-18T14:11:38.003198+00:00","condition":"Banner is on","sample":11,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:39.003321+00:00","condition":"Banner is on","sample":12,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:40.003444+00:00","condition":"Banner is on","sample":13,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:41.003567+00:00","condition":"Banner is on","sample":14,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:42.003690+00:00","cause":"unreachable","condition":"Banner is on","sample":15,"says":"no answer within 10 s","verdict":"error"},{"at":"2031-03-18T14:11:43.003813+00:00","condition":"Banner is on","sample":16,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:44.003936+00:00","condition":"Banner is on","sample":17,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:45.004059+00:00","condition":"Banner is on","sample":18,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:46.004182+00:00","condition":"Banner is on","sample":19,"says":"","value":200,"verdict":"pass"},{"at":"2031-03-18T14:11:47.004305+00:00","cause":"unreachable","condition":"Banner is on","sample":20,"says":"no answer within 10 s","verdict":"error"},{"at":"2031-03-18T14:11:48.004428+00:00","condition":"Banner is on","sample":21,"says":"","value":200,"verdict":"pass"}],"run":"scheduled__2031-03-18T14:00:00+00:00"}','fb310eed169d7f7b3da8ab837821154de5162401855ec178a247c4199a896303','98b9e9417c36733a7e17a6aefdd43132e394470bd9c64b90d6b3bd32eaed920d');
INSERT INTO "events" VALUES(1001,14,'2031-03-18 14:12:10.004920','watched','scheduled__2031-03-18T14:00:00+00:00/watch','{"readings":[{"at":"2031-03-18T14:12:03.004797+00:00","cause":"unreachable","condition":"Banner is on","says":"no answer within 10 s","verdict":"error"}],"reason":"too little is known: 4 of 21 samples have no value","run":"scheduled__2031-03-18T14:00:00+00:00","samples":21,"verdict":"ask"}','98b9e9417c36733a7e17a6aefdd43132e394470bd9c64b90d6b3bd32eaed920d','58b38412c23ee76a0478a58906cad666d3d4a87b67b7a9be1375589d593ead7c');
INSERT INTO "events" VALUES(1001,15,'2031-03-18 14:12:24.005166','asked','scheduled__2031-03-18T14:00:00+00:00/watch','{"people":["alice","bob"],"reason":"too little is known","run":"scheduled__2031-03-18T14:00:00+00:00","until":"2031-03-18T14:22:17.005043+00:00"}','58b38412c23ee76a0478a58906cad666d3d4a87b67b7a9be1375589d593ead7c','c130a4f187e2810348db2f6719ae5217a8dc0781383c3abbe8ff2670299f995d');
INSERT INTO "events" VALUES(1001,16,'2031-03-18 14:12:31.005289','answered','scheduled__2031-03-18T14:00:00+00:00/watch','{"answer":["Keep it"],"by":"alice","run":"scheduled__2031-03-18T14:00:00+00:00"}','c130a4f187e2810348db2f6719ae5217a8dc0781383c3abbe8ff2670299f995d','4e429c211fdc81c8adee6beb3d54a52526bee8826d85df8b8d591b608ce9c645');
INSERT INTO "events" VALUES(1001,17,'2031-03-18 14:12:38.005412','watched','scheduled__2031-03-18T14:00:00+00:00/watch','{"reason":"alice keeps it, though too little is known","run":"scheduled__2031-03-18T14:00:00+00:00","verdict":"pass"}','4e429c211fdc81c8adee6beb3d54a52526bee8826d85df8b8d591b608ce9c645','70cee552768c79f3f954786de5e70b3672e53c65fdaeab3d04b8afd85e071357');
INSERT INTO "events" VALUES(1001,18,'2031-03-18 14:12:45.005535','decided','scheduled__2031-03-18T14:00:00+00:00/watch','{"reason":"alice keeps it, though too little is known","route":"succeed","run":"scheduled__2031-03-18T14:00:00+00:00"}','70cee552768c79f3f954786de5e70b3672e53c65fdaeab3d04b8afd85e071357','c2818bcf1d358a23197aabb1f5b97b35d32da96162de978b908b015e40fcfe7d');
INSERT INTO "events" VALUES(1001,19,'2031-03-18 14:12:52.005658','validated','scheduled__2031-03-18T14:00:00+00:00/succeed','{"reason":"alice keeps it, though too little is known","run":"scheduled__2031-03-18T14:00:00+00:00"}','c2818bcf1d358a23197aabb1f5b97b35d32da96162de978b908b015e40fcfe7d','ef96585d9895b608b990618ed81a3bdcbc9944022454feb9e4449a6dff08d957');
INSERT INTO "events" VALUES(1001,20,'2031-03-18 14:12:59.005781','message_failed','scheduled__2031-03-18T14:00:00+00:00/report','{"reason":"Slack does not answer","run":"scheduled__2031-03-18T14:00:00+00:00"}','ef96585d9895b608b990618ed81a3bdcbc9944022454feb9e4449a6dff08d957','fc13be18fcfec43a0a07544caa2595c7ae2f036f89de51e10d58da90b6070eb4');
INSERT INTO "events" VALUES(1001,21,'2031-03-18 14:13:06.005904','closed','scheduled__2031-03-18T14:00:00+00:00','{"outcome":"completed","reason":"alice keeps it, though too little is known"}','fc13be18fcfec43a0a07544caa2595c7ae2f036f89de51e10d58da90b6070eb4','84cd6d35075bcc71dbd1dc88f52c79aac841a9fd13ccfed65da5063557df9ada');
INSERT INTO "events" VALUES(1002,1,'2031-03-18 14:13:13.006027','submitted','alice','{"digest":"1f6388a92968a77d8be23ac0ba2098ab28951ee97b3dd9f14e90ce5eae57b46d","summary":"Switch the banner off.","targets":["production/orders"]}','0000000000000000000000000000000000000000000000000000000000000000','151d6e17dc0ff82e8eacc5fbb192c24931613aa5dfeabc15b404802be6b84495');
INSERT INTO "events" VALUES(1002,2,'2031-03-18 14:13:20.006150','decided','bob','{"digest":"1f6388a92968a77d8be23ac0ba2098ab28951ee97b3dd9f14e90ce5eae57b46d","level":"peer","yes":true}','151d6e17dc0ff82e8eacc5fbb192c24931613aa5dfeabc15b404802be6b84495','0bf3869a14b30085f245ec121adbcb3f0957d2b3f1673de1e62abf2661626e01');
INSERT INTO "events" VALUES(1002,3,'2031-03-18 14:13:20.006150','approved','bob','{"digest":"1f6388a92968a77d8be23ac0ba2098ab28951ee97b3dd9f14e90ce5eae57b46d"}','0bf3869a14b30085f245ec121adbcb3f0957d2b3f1673de1e62abf2661626e01','86c97cdd6269038da7d1776ecf152fadeb0046b7a6eefdea920d87bc579ea2ca');
INSERT INTO "events" VALUES(1002,4,'2031-03-18 14:13:27.006273','started','manual__2','{"digest":"1f6388a92968a77d8be23ac0ba2098ab28951ee97b3dd9f14e90ce5eae57b46d","mode":"run","run":"manual__2","targets":["production/orders"],"token":2}','86c97cdd6269038da7d1776ecf152fadeb0046b7a6eefdea920d87bc579ea2ca','bf559f9a9c9e40f158f74a8c525e34d7b7254b22ea77e50f84f894a5118fd864');
INSERT INTO "events" VALUES(1002,5,'2031-03-18 14:13:34.006396','extended','bob','{"from":"2031-03-18T15:00:00+00:00","reason":"slow today","to":"2031-03-18T16:00:00+00:00"}','bf559f9a9c9e40f158f74a8c525e34d7b7254b22ea77e50f84f894a5118fd864','816559c7ef27a35cacd70db09d29af28aada98c8d497a9e72c040c0efe8c0fd1');
INSERT INTO "events" VALUES(1002,6,'2031-03-18 14:13:41.006519','remembered','manual__2/apply_1','{"name":"Switch it on","remembered":{"was":"on"},"run":"manual__2","step":1}','816559c7ef27a35cacd70db09d29af28aada98c8d497a9e72c040c0efe8c0fd1','64ef71ba921b3d4780984e9d63dcbe4b37eddb2c11349a3e25527e70dd0608d9');
INSERT INTO "events" VALUES(1002,7,'2031-03-18 14:13:48.006642','clicked','carol','{"body":"{\"new_state\": \"failed\"}","method":"PATCH","path":"/api/v2/dags/CHG-1002/dagRuns/manual__2/taskInstances/apply_1","status":200}','64ef71ba921b3d4780984e9d63dcbe4b37eddb2c11349a3e25527e70dd0608d9','75baadb1e0999ce722eb195b14f36e9f7212db978fd0dedaab5a28acfb65a0be');
INSERT INTO "events" VALUES(1002,8,'2031-03-18 14:13:55.006765','decided','manual__2/watch','{"reason":"apply_1 (failed) did not succeed; its log says why","route":"undo","run":"manual__2"}','75baadb1e0999ce722eb195b14f36e9f7212db978fd0dedaab5a28acfb65a0be','bf400dd8773289cacabb35637ba303bb381716bcac68a7d92d1b4d70b788139b');
INSERT INTO "events" VALUES(1002,9,'2031-03-18 14:14:02.006888','undoing','manual__2/undo_1','{"name":"Switch it on","run":"manual__2","step":1}','bf400dd8773289cacabb35637ba303bb381716bcac68a7d92d1b4d70b788139b','f4ca3b60ffad82a66ab44d95fdd6e660c58d3e09cfcae47a86d179bb45d4600a');
INSERT INTO "events" VALUES(1002,10,'2031-03-18 14:14:09.007011','undo_failed','manual__2/undo_1','{"name":"Switch it on","reason":"exit code 1","run":"manual__2","step":1}','f4ca3b60ffad82a66ab44d95fdd6e660c58d3e09cfcae47a86d179bb45d4600a','209fb0cd7475a8ba10b90bd2402bbc10836748c730b505f08b83f1036936c18e');
INSERT INTO "events" VALUES(1002,11,'2031-03-18 14:14:16.007134','undoing','manual__2/close','{"name":"Switch it on","run":"manual__2","step":1}','209fb0cd7475a8ba10b90bd2402bbc10836748c730b505f08b83f1036936c18e','cf930c8141b46fc89484b909ffa17fd8335c6c5ea6e65ae255eea8085dc3bdee');
INSERT INTO "events" VALUES(1002,12,'2031-03-18 14:14:23.007257','undo_stopped','manual__2/close','{"name":"Switch it on","reason":"CHG-1002: close lost its turn and stopped. The undo that took the turn goes on.","run":"manual__2","step":1}','cf930c8141b46fc89484b909ffa17fd8335c6c5ea6e65ae255eea8085dc3bdee','8f4d9811d40163e0a85e8a7ef85c41d378583c85493bb0859cbf99e6a0b478a7');
INSERT INTO "events" VALUES(1002,13,'2031-03-18 14:14:30.007380','run_died','housekeeping','{"run":"manual__2"}','8f4d9811d40163e0a85e8a7ef85c41d378583c85493bb0859cbf99e6a0b478a7','9618ff63b6a73c9717b39f43138a6906dd7aea2b2b7671631764ef54efe61c49');
INSERT INTO "events" VALUES(1002,14,'2031-03-18 14:14:37.007503','started','rollback__2','{"digest":"1f6388a92968a77d8be23ac0ba2098ab28951ee97b3dd9f14e90ce5eae57b46d","mode":"rollback","run":"rollback__2","targets":["production/orders"],"token":3}','9618ff63b6a73c9717b39f43138a6906dd7aea2b2b7671631764ef54efe61c49','da2507f6a38aa02afcab2ec36b84923428f32ee66ef0778d7e0b41b4aeb7360d');
INSERT INTO "events" VALUES(1002,15,'2031-03-18 14:14:44.007626','undoing','rollback__2/undo_1','{"name":"Switch it on","run":"rollback__2","step":1}','da2507f6a38aa02afcab2ec36b84923428f32ee66ef0778d7e0b41b4aeb7360d','066e468ebf55b4738885aa41dd85867af7deef529e882510d80b6a6dde4b2ed2');
INSERT INTO "events" VALUES(1002,16,'2031-03-18 14:14:51.007749','undone','rollback__2/undo_1','{"name":"Switch it on","run":"rollback__2","step":1}','066e468ebf55b4738885aa41dd85867af7deef529e882510d80b6a6dde4b2ed2','31fe1ee2414790d996b95620540091106778c9041d91d2bf024b1e38fe4ca08d');
INSERT INTO "events" VALUES(1002,17,'2031-03-18 14:14:59.007995','not_verified','rollback__2/verify','{"readings":[{"at":"2031-03-18T14:14:52.007872+00:00","condition":"Banner is off","says":"","value":200,"verdict":"fail"}],"reason":"FAIL Banner is off = 200","run":"rollback__2","samples":3,"verdict":"fail"}','31fe1ee2414790d996b95620540091106778c9041d91d2bf024b1e38fe4ca08d','ba189376cc798a6c7059e6d85b3c4d320cf0dc6716bd0409cc7fe671faf24510');
INSERT INTO "events" VALUES(1002,18,'2031-03-18 14:15:07.008241','verified','rollback__2/close','{"readings":[{"at":"2031-03-18T14:15:00.008118+00:00","condition":"Banner is off","says":"","value":404,"verdict":"pass"}],"reason":"all good","run":"rollback__2","samples":1,"verdict":"pass"}','ba189376cc798a6c7059e6d85b3c4d320cf0dc6716bd0409cc7fe671faf24510','d1efd717fded8adbe8a1672f4d3643472905487094cea9937d2b90487a1358a6');
INSERT INTO "events" VALUES(1002,19,'2031-03-18 14:15:14.008364','closed','rollback__2','{"outcome":"rollback_failed","reason":"undone, but not verified"}','d1efd717fded8adbe8a1672f4d3643472905487094cea9937d2b90487a1358a6','085dce7fe15893a9b54c7b61c31ebf2a72bbc60ce1819174543dfdd9bbec680e');
INSERT INTO "events" VALUES(1002,20,'2031-03-18 14:15:21.008487','released','carol','{"reason":"put in order by hand","target":"production/orders"}','085dce7fe15893a9b54c7b61c31ebf2a72bbc60ce1819174543dfdd9bbec680e','654e90795b7dc9e74830f3c47bad0d3ab36b67b30aac133f6988b169638deac9');
INSERT INTO "events" VALUES(1003,1,'2031-03-18 14:15:28.008610','submitted','alice','{"digest":"49c3980628fa03b2798a1d64d56127af15e2c2aa5e5a6e209cb71826cb1c3803","summary":"Switch the banner on.","targets":["production/invoices"]}','0000000000000000000000000000000000000000000000000000000000000000','db6bf8dff78c084a958a9211d47c3fbfafc1389dc9aba98f50c5f27d1d60d401');
INSERT INTO "events" VALUES(1003,2,'2031-03-18 14:15:35.008733','decided','bob','{"digest":"49c3980628fa03b2798a1d64d56127af15e2c2aa5e5a6e209cb71826cb1c3803","level":"peer","yes":true}','db6bf8dff78c084a958a9211d47c3fbfafc1389dc9aba98f50c5f27d1d60d401','85a5943d2de205b5aeaacff374641a0b7ef029910cb23810ba586b1ae57960db');
INSERT INTO "events" VALUES(1003,3,'2031-03-18 14:15:35.008733','approved','bob','{"digest":"49c3980628fa03b2798a1d64d56127af15e2c2aa5e5a6e209cb71826cb1c3803"}','85a5943d2de205b5aeaacff374641a0b7ef029910cb23810ba586b1ae57960db','328576f60921fe93b6af0054705e7829f76071bffed006407c4e9756a03d83c7');
INSERT INTO "events" VALUES(1003,4,'2031-03-18 14:15:42.008856','refused','manual__3/gate','{"outcome":"refused","reasons":["production/invoices is held by CHG-9; wait until it is closed","not good at the gate: Banner is off"],"run":"manual__3"}','328576f60921fe93b6af0054705e7829f76071bffed006407c4e9756a03d83c7','e54d782558e0d619bedd49d8d6f5a66eadfafdc6281dca4d7e5f30f4cb92f3d9');
INSERT INTO "events" VALUES(1003,5,'2031-03-18 14:15:49.008979','started','manual__4','{"digest":"49c3980628fa03b2798a1d64d56127af15e2c2aa5e5a6e209cb71826cb1c3803","mode":"run","run":"manual__4","targets":["production/invoices"],"token":4}','e54d782558e0d619bedd49d8d6f5a66eadfafdc6281dca4d7e5f30f4cb92f3d9','bef555d9c45a8c29d59f046d8c06f8b30098727d574e69ef4633d35c01c6b6f4');
INSERT INTO "events" VALUES(1003,6,'2031-03-18 14:15:56.009102','aborted','carol','{"reason":"wrong banner","was":"running"}','bef555d9c45a8c29d59f046d8c06f8b30098727d574e69ef4633d35c01c6b6f4','42bd20d7614b80863b6d8dbe8cdf358c522f543391c0ab59b31e5db543c3466b');
INSERT INTO "events" VALUES(1003,7,'2031-03-18 14:16:03.009225','closed','manual__4','{"outcome":"cancelled","reason":"aborted by carol: wrong banner"}','42bd20d7614b80863b6d8dbe8cdf358c522f543391c0ab59b31e5db543c3466b','2a8bc606f1797fb17c84ecf7fb7aca68cbb41721c93102cd488eaf22bc08a426');
INSERT INTO "events" VALUES(1004,1,'2031-03-18 14:16:10.009348','submitted','alice','{"digest":"694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46","summary":"Switch the banner on.","targets":["production/stock"]}','0000000000000000000000000000000000000000000000000000000000000000','099f1e75b8429dc54ea6030cfc1fe462c9679cb78f04a77116710ce0a66adf0a');
INSERT INTO "events" VALUES(1004,2,'2031-03-18 14:16:17.009471','decided','bob','{"digest":"694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46","level":"peer","yes":false}','099f1e75b8429dc54ea6030cfc1fe462c9679cb78f04a77116710ce0a66adf0a','73f8efce5a77ab325df18bd7effb9c99c2a64b04a40210d03efe71fcf3a07375');
INSERT INTO "events" VALUES(1004,3,'2031-03-18 14:16:17.009471','rejected','bob','{"digest":"694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46"}','73f8efce5a77ab325df18bd7effb9c99c2a64b04a40210d03efe71fcf3a07375','3d202bffad4b8b97dd3f8d14ab17c182c23108f1c2a9875c0d61af31ff6baca0');
INSERT INTO "events" VALUES(1005,1,'2031-03-18 14:16:24.009594','submitted','alice','{"digest":"694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46","summary":"Switch the banner on.","targets":["production/stock"]}','0000000000000000000000000000000000000000000000000000000000000000','bcbf0ef3a72d2fa1c0ecb66506c87bf756356af7f1b090e054b8b5546ea4c024');
INSERT INTO "events" VALUES(1005,2,'2031-03-18 14:16:31.009717','cancelled','alice','{"reason":"not needed"}','bcbf0ef3a72d2fa1c0ecb66506c87bf756356af7f1b090e054b8b5546ea4c024','5647ce288dd266ec518f01abe21f5048af5b6484321c5d8390662bff89ea04e8');
INSERT INTO "events" VALUES(1006,1,'2031-03-18 14:16:38.009840','submitted','alice','{"digest":"694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46","summary":"Switch the banner on.","targets":["production/stock"]}','0000000000000000000000000000000000000000000000000000000000000000','25c51ff7499d36be7854e59d6cb795d4713b57071565cea232c5ef2040b13fd7');
INSERT INTO "events" VALUES(1006,2,'2031-03-18 14:16:45.009963','approved','policy','{"digest":"694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46"}','25c51ff7499d36be7854e59d6cb795d4713b57071565cea232c5ef2040b13fd7','45b3a33e295f8aa5617cd22df223043a03d3d687c9884206ef350b27105a8fb9');
INSERT INTO "events" VALUES(1006,3,'2031-03-18 14:16:52.010086','closed','housekeeping','{"outcome":"missed","reason":"no run of it started in its window"}','45b3a33e295f8aa5617cd22df223043a03d3d687c9884206ef350b27105a8fb9','1583dae9d453f3cf91c36e04742f06ceb22417332efe84c4034b5706005446b6');
CREATE TABLE leases (
	target VARCHAR(250) NOT NULL, 
	number INTEGER NOT NULL, 
	token INTEGER NOT NULL, 
	run VARCHAR(250) NOT NULL, 
	taken_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	PRIMARY KEY (target), 
	FOREIGN KEY(number) REFERENCES changes (number)
);
CREATE TABLE revisions (
	number INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	text TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (number, digest), 
	FOREIGN KEY(number) REFERENCES changes (number)
);
INSERT INTO "revisions" VALUES(1001,'0793fb5800b515f19c4c4b0f3befad0230ee066b28161988d8983829465326f8','{"environment":"production","owner":"alice","parameters":{"version":{"allowed":["v1","v2"],"default":"v2","type":"string"}},"reviewer":"bob","risk":"low","rollback":{"estimate":"1m","verify":[{"name":"Banner is off","pass":{"equals":404},"source":{"connection":"shop","kind":"http","path":"/banner"}}]},"services":["orders"],"steps":[{"kind":"command","name":"Switch it on","run":["banner","on"],"undo":["banner","off"]}],"summary":"Switch the banner on.","type":"normal","validation":[{"name":"Banner is on","pass":{"equals":200},"source":{"connection":"shop","kind":"http","path":"/banner"}}],"watch":{"for":"1m","when_unknown":"ask"},"window":{"end":"2031-03-18 15:00","start":"2031-03-18 14:00","zone":"UTC"}}','2031-03-18 14:10:07.000123');
INSERT INTO "revisions" VALUES(1001,'3668a61d6013da2c1f0bc13220330f8925354413eee2887985df755a452fe351','{"environment":"production","owner":"alice","parameters":{"version":{"allowed":["v1","v2"],"default":"v2","type":"string"}},"reviewer":"bob","risk":"low","rollback":{"estimate":"1m","verify":[{"name":"Banner is off","pass":{"equals":404},"source":{"connection":"shop","kind":"http","path":"/banner"}}]},"services":["orders"],"steps":[{"kind":"command","name":"Switch it on","run":["banner","on"],"undo":["banner","off"]}],"summary":"Switch the banner on for the spring sale.","type":"normal","validation":[{"name":"Banner is on","pass":{"equals":200},"source":{"connection":"shop","kind":"http","path":"/banner"}}],"watch":{"for":"1m","when_unknown":"ask"},"window":{"end":"2031-03-18 15:00","start":"2031-03-18 14:00","zone":"UTC"}}','2031-03-18 14:10:14.000246');
INSERT INTO "revisions" VALUES(1002,'1f6388a92968a77d8be23ac0ba2098ab28951ee97b3dd9f14e90ce5eae57b46d','{"environment":"production","owner":"alice","reviewer":"bob","risk":"low","rollback":{"estimate":"1m","verify":[{"name":"Banner is off","pass":{"equals":404},"source":{"connection":"shop","kind":"http","path":"/banner"}}]},"services":["orders"],"steps":[{"kind":"command","name":"Switch it on","run":["banner","on"],"undo":["banner","off"]}],"summary":"Switch the banner off.","type":"normal","validation":[{"name":"Banner is on","pass":{"equals":200},"source":{"connection":"shop","kind":"http","path":"/banner"}}],"watch":{"for":"1m"},"window":{"end":"2031-03-18 15:00","start":"2031-03-18 14:00","zone":"UTC"}}','2031-03-18 14:13:13.006027');
INSERT INTO "revisions" VALUES(1003,'49c3980628fa03b2798a1d64d56127af15e2c2aa5e5a6e209cb71826cb1c3803','{"environment":"production","owner":"alice","reviewer":"bob","risk":"low","rollback":{"estimate":"1m","verify":[{"name":"Banner is off","pass":{"equals":404},"source":{"connection":"shop","kind":"http","path":"/banner"}}]},"services":["invoices"],"steps":[{"kind":"command","name":"Switch it on","run":["banner","on"],"undo":["banner","off"]}],"summary":"Switch the banner on.","type":"normal","validation":[{"name":"Banner is on","pass":{"equals":200},"source":{"connection":"shop","kind":"http","path":"/banner"}}],"watch":{"for":"1m"},"window":{"end":"2031-03-18 15:00","start":"2031-03-18 14:00","zone":"UTC"}}','2031-03-18 14:15:28.008610');
INSERT INTO "revisions" VALUES(1004,'694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46','{"environment":"production","owner":"alice","reviewer":"bob","risk":"low","rollback":{"estimate":"1m","verify":[{"name":"Banner is off","pass":{"equals":404},"source":{"connection":"shop","kind":"http","path":"/banner"}}]},"services":["stock"],"steps":[{"kind":"command","name":"Switch it on","run":["banner","on"],"undo":["banner","off"]}],"summary":"Switch the banner on.","type":"normal","validation":[{"name":"Banner is on","pass":{"equals":200},"source":{"connection":"shop","kind":"http","path":"/banner"}}],"watch":{"for":"1m"},"window":{"end":"2031-03-18 15:00","start":"2031-03-18 14:00","zone":"UTC"}}','2031-03-18 14:16:10.009348');
INSERT INTO "revisions" VALUES(1005,'694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46','{"environment":"production","owner":"alice","reviewer":"bob","risk":"low","rollback":{"estimate":"1m","verify":[{"name":"Banner is off","pass":{"equals":404},"source":{"connection":"shop","kind":"http","path":"/banner"}}]},"services":["stock"],"steps":[{"kind":"command","name":"Switch it on","run":["banner","on"],"undo":["banner","off"]}],"summary":"Switch the banner on.","type":"normal","validation":[{"name":"Banner is on","pass":{"equals":200},"source":{"connection":"shop","kind":"http","path":"/banner"}}],"watch":{"for":"1m"},"window":{"end":"2031-03-18 15:00","start":"2031-03-18 14:00","zone":"UTC"}}','2031-03-18 14:16:24.009594');
INSERT INTO "revisions" VALUES(1006,'694cbbb19eb975958bf4ec1e16aff15c7d325c3ffabfc2ebdbbebd137d250d46','{"environment":"production","owner":"alice","reviewer":"bob","risk":"low","rollback":{"estimate":"1m","verify":[{"name":"Banner is off","pass":{"equals":404},"source":{"connection":"shop","kind":"http","path":"/banner"}}]},"services":["stock"],"steps":[{"kind":"command","name":"Switch it on","run":["banner","on"],"undo":["banner","off"]}],"summary":"Switch the banner on.","type":"normal","validation":[{"name":"Banner is on","pass":{"equals":200},"source":{"connection":"shop","kind":"http","path":"/banner"}}],"watch":{"for":"1m"},"window":{"end":"2031-03-18 15:00","start":"2031-03-18 14:00","zone":"UTC"}}','2031-03-18 14:16:38.009840');
CREATE TABLE stops (
	id INTEGER NOT NULL, 
	person VARCHAR(200) NOT NULL, 
	reason TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	lifted_by VARCHAR(200), 
	lifted_at DATETIME, 
	PRIMARY KEY (id)
);
CREATE TABLE touched (
	number INTEGER NOT NULL, 
	target VARCHAR(250) NOT NULL, 
	PRIMARY KEY (number, target), 
	FOREIGN KEY(number) REFERENCES changes (number)
);
INSERT INTO "touched" VALUES(1001,'production/orders');
INSERT INTO "touched" VALUES(1002,'production/orders');
INSERT INTO "touched" VALUES(1003,'production/invoices');
INSERT INTO "touched" VALUES(1004,'production/stock');
INSERT INTO "touched" VALUES(1005,'production/stock');
INSERT INTO "touched" VALUES(1006,'production/stock');
CREATE TABLE turns (
	number INTEGER NOT NULL, 
	token INTEGER NOT NULL, 
	holder VARCHAR(250), 
	until DATETIME, 
	is_revoked BOOLEAN NOT NULL, is_forward BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (number), 
	FOREIGN KEY(number) REFERENCES changes (number)
);
CREATE TABLE watches (
	number INTEGER NOT NULL, 
	run VARCHAR(250) NOT NULL, 
	at DATETIME NOT NULL, 
	progress TEXT NOT NULL, 
	PRIMARY KEY (number), 
	FOREIGN KEY(number) REFERENCES changes (number)
);
INSERT INTO "watches" VALUES(1001,'scheduled__2031-03-18T14:00:00+00:00','2031-03-18 14:12:02.004674','{"since":"2031-03-18T14:11:20.001722Z","begun":"2031-03-18T14:11:20.001722Z","over":"2031-03-18T14:12:20.001722Z","at":"2031-03-18T14:11:55.004551Z","samples":21,"decided":null,"asked_until":null,"counts":{},"conditions":[],"unwritten":[]}');
CREATE INDEX ix_changes_opens ON changes (opens);
CREATE INDEX ix_changes_status ON changes (status);
CREATE INDEX ix_approvals_number ON approvals (number);
CREATE INDEX ix_leases_number ON leases (number);
CREATE TRIGGER append_only_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events of the ledger are never altered'); END;
CREATE TRIGGER append_only_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events of the ledger are never altered'); END;
CREATE INDEX ix_changes_token ON changes (token);
CREATE INDEX ix_changes_origin ON changes (origin);
CREATE INDEX ix_stops_expires_at ON stops (expires_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('changes',1006);
COMMIT;
