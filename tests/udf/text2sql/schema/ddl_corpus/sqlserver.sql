USE [Shop]
GO
/****** Object:  Table [dbo].[Order Details]    Script Date: 1/1/2020 ******/
SET ANSI_NULLS ON
GO
CREATE TABLE [dbo].[Order Details](
	[Order ID] [int] IDENTITY(1,1) NOT NULL,
	[ProductID] [int] NOT NULL,
	[Unit Price] [money] NOT NULL CONSTRAINT [DF_UnitPrice] DEFAULT ((0)),
	[Discount] [real] NULL,
	[Note] [nvarchar](max) COLLATE SQL_Latin1_General_CP1_CI_AS NULL,
	[Amount] [decimal](18, 2) NULL,
 CONSTRAINT [PK_OD] PRIMARY KEY CLUSTERED
(
	[Order ID] ASC,
	[ProductID] ASC
)WITH (PAD_INDEX = OFF, IGNORE_DUP_KEY = OFF, ALLOW_ROW_LOCKS = ON) ON [PRIMARY]
) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]
GO
CREATE TABLE [dbo].[Products]([ProductID] [int] NOT NULL PRIMARY KEY)
GO
ALTER TABLE [dbo].[Order Details]  WITH CHECK ADD  CONSTRAINT [FK_P] FOREIGN KEY([ProductID])
REFERENCES [dbo].[Products] ([ProductID])
GO
ALTER TABLE [dbo].[Order Details] CHECK CONSTRAINT [FK_P]
GO
EXEC sys.sp_addextendedproperty @name=N'MS_Description', @value=N'单价, 元' , @level0type=N'SCHEMA',@level0name=N'dbo', @level1type=N'TABLE',@level1name=N'Order Details', @level2type=N'COLUMN',@level2name=N'Unit Price'
GO
=> dbo.Order Details: Order ID INTEGER pk, ProductID INTEGER pk, Unit Price DECIMAL(19,4) {单价, 元}, Discount FLOAT, Note VARCHAR, Amount DECIMAL(18,2)
=> dbo.Products: ProductID INTEGER pk
=> dbo.Order Details.ProductID -> dbo.Products.ProductID

CREATE TABLE #tmp (id int, name nvarchar(50));
=> "#tmp": id INTEGER pk, name VARCHAR

CREATE TABLE ##global_tmp (id int NOT NULL, [key] varchar(10));
=> "##global_tmp": id INTEGER pk, key VARCHAR

CREATE TABLE dbo.Department (
    DeptID INT NOT NULL PRIMARY KEY CLUSTERED,
    DeptName VARCHAR(50) NOT NULL,
    SysStartTime DATETIME2 GENERATED ALWAYS AS ROW START HIDDEN NOT NULL,
    SysEndTime DATETIME2(7) GENERATED ALWAYS AS ROW END HIDDEN NOT NULL,
    PERIOD FOR SYSTEM_TIME (SysStartTime, SysEndTime)
) WITH (SYSTEM_VERSIONING = ON (HISTORY_TABLE = dbo.DepartmentHistory));
=> dbo.Department: DeptID INTEGER pk, DeptName VARCHAR, SysStartTime TIMESTAMP, SysEndTime TIMESTAMP

CREATE TABLE dbo.mytable (low INT, high INT, myavg AS (low + high) / 2, total AS low * high PERSISTED NOT NULL);
=> dbo.mytable: low INTEGER, high INTEGER, myavg, total

CREATE TABLE dbo.PurchaseOrderDetail (
    PurchaseOrderID INT NOT NULL FOREIGN KEY REFERENCES Purchasing.PurchaseOrderHeader(PurchaseOrderID),
    LineNumber SMALLINT NOT NULL,
    UnitPrice MONEY NULL,
    rowguid UNIQUEIDENTIFIER ROWGUIDCOL NOT NULL CONSTRAINT DF_g DEFAULT (NEWID()),
    LineTotal AS ((UnitPrice * OrderQty)),
    StockedQty FLOAT,
    CONSTRAINT PK_POD PRIMARY KEY CLUSTERED (PurchaseOrderID, LineNumber) WITH (IGNORE_DUP_KEY = OFF)
) ON PRIMARY;
CREATE TABLE Purchasing.PurchaseOrderHeader (PurchaseOrderID INT PRIMARY KEY);
=> dbo.PurchaseOrderDetail: PurchaseOrderID INTEGER pk, LineNumber SMALLINT pk, UnitPrice DECIMAL(19,4), rowguid UUID, LineTotal, StockedQty FLOAT
=> Purchasing.PurchaseOrderHeader: PurchaseOrderID INTEGER pk
=> dbo.PurchaseOrderDetail.PurchaseOrderID -> Purchasing.PurchaseOrderHeader.PurchaseOrderID

CREATE TABLE types (a bit, b tinyint, c smallmoney, d datetimeoffset(7), e smalldatetime, f hierarchyid, g sql_variant, h xml, i varbinary(max), j rowversion, k timestamp, l ntext, m image, n geography, o char(10), p sysname, q float(53), r datetime);
=> types: a BOOLEAN, b TINYINT, c DECIMAL(10,4), d TIMESTAMP WITH TIME ZONE, e TIMESTAMP, f VARCHAR, g VARIANT, h VARCHAR, i BLOB, j BLOB, k TIMESTAMP, l VARCHAR, m BLOB, n GEOGRAPHY, o VARCHAR, p VARCHAR, q DOUBLE, r TIMESTAMP

CREATE TABLE T1 (c1 INT PRIMARY KEY, c2 VARCHAR(200), c3 VARCHAR(50) SPARSE NULL, props XML COLUMN_SET FOR ALL_SPARSE_COLUMNS);
=> T1: c1 INTEGER pk, c2 VARCHAR, c3 VARCHAR, props VARCHAR

CREATE TABLE dbo.Customers (CustName NVARCHAR(60) COLLATE Latin1_General_BIN2 ENCRYPTED WITH (COLUMN_ENCRYPTION_KEY = MyCEK, ENCRYPTION_TYPE = RANDOMIZED, ALGORITHM = 'AEAD_AES_256_CBC_HMAC_SHA_256'), Phone VARCHAR(12) MASKED WITH (FUNCTION = 'partial(1,"XXX",0)') NULL, Age INT NULL);
=> dbo.Customers: CustName VARCHAR, Phone VARCHAR, Age INTEGER

CREATE TABLE t1 (c1 INT, c2 INT INDEX ix_1 NONCLUSTERED, INDEX ix_2 NONCLUSTERED (c1, c2), INDEX cci CLUSTERED COLUMNSTORE);
=> t1: c1 INTEGER, c2 INTEGER

CREATE TABLE dbo.mem (ID INT NOT NULL PRIMARY KEY NONCLUSTERED HASH WITH (BUCKET_COUNT = 1000), Txt NVARCHAR(20)) WITH (MEMORY_OPTIMIZED = ON, DURABILITY = SCHEMA_AND_DATA);
=> dbo.mem: ID INTEGER pk, Txt VARCHAR

CREATE TABLE Person (ID INTEGER PRIMARY KEY, name VARCHAR(100)) AS NODE;
CREATE TABLE friends (id INTEGER PRIMARY KEY, start_date DATE) AS EDGE;
=> Person: ID INTEGER pk, name VARCHAR
=> friends: id INTEGER pk, start_date DATE

CREATE TABLE dbo.dist (id int NOT NULL, lastName varchar(20), zipCode varchar(6)) WITH (CLUSTERED COLUMNSTORE INDEX, DISTRIBUTION = HASH ([id]), PARTITION (id RANGE LEFT FOR VALUES (10, 20)));
=> dbo.dist: id INTEGER pk, lastName VARCHAR, zipCode VARCHAR

CREATE TABLE dbo.ctas WITH (DISTRIBUTION = HASH(CustomerKey), CLUSTERED COLUMNSTORE INDEX) AS SELECT CustomerKey, SUM(x) AS total FROM dbo.FactSales GROUP BY CustomerKey;
=> dbo.ctas: CustomerKey, total

CREATE EXTERNAL TABLE ext.ClickStream (url VARCHAR(50), event_date DATE, user_ip VARCHAR(50)) WITH (LOCATION = '/webdata/', DATA_SOURCE = mydata, FILE_FORMAT = ff);
=> ext.ClickStream: url VARCHAR, event_date DATE, user_ip VARCHAR

CREATE TABLE [学生]([学号] [int] NOT NULL,[姓名] [nvarchar](20) NULL,[Name.Full] [dbo].[NameType] NULL, [2019] int)
=> 学生: 学号 INTEGER, 姓名 VARCHAR, Name.Full DBO.NAMETYPE, 2019 INTEGER

CREATE TABLE HumanResources.EmployeeResumes (LName NVARCHAR(25), FName NVARCHAR(25), Resume XML(DOCUMENT HumanResources.ResumeCollection))
ALTER TABLE HumanResources.EmployeeResumes ADD Age int NULL, City varchar(20) CONSTRAINT df DEFAULT 'x'
=> HumanResources.EmployeeResumes: LName VARCHAR, FName VARCHAR, Resume VARCHAR, Age INTEGER, City VARCHAR

CREATE TABLE [dbo].[x] ([a]]b] [int] NULL, [Customer's name] [nvarchar](50), [n] [sys].[hierarchyid], PRIMARY KEY ([a]]b] ASC))
=> dbo.x: a]b INTEGER pk, Customer's name VARCHAR, n VARCHAR
